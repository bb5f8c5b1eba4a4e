"""A result counts once, under the attempt that computed it; failures cost the budget that is to blame."""

import threading
from contextlib import suppress
from datetime import timedelta

import pytest

from gridloom.errors import LeaseLost
from gridloom.phases import Sums
from gridloom.states import EndReason, JobState, Stage, TaskState
from gridloom.warmth import Tier
from gridloom.wire import Spent
from scheduler import ending, fanout
from storage.repositories import job_states, tasks
from tests.fixtures.fabric import chunk, file, plan_of, result


@pytest.fixture
def held(fabric):
    """Return a worker and a job whose chunk 0 it holds under attempt 1."""
    job_id, worker_id = fabric.run_chunks(2, plan_of(max_task_retries=1)), fabric.worker()
    fabric.claim(worker_id, job_id, Stage.APP, 0)
    return worker_id, job_id


def counters(fabric, job_id):
    row = fabric.job(job_id)
    return row.chunks, row.completed


def test_a_commit_completes_the_task_and_counts_it(fabric, held):
    worker_id, job_id = held
    done = fabric.commit(
        worker_id, job_id, Stage.APP, result(0, 1, files=(file("a"),), exit_code=0, cpu_s=0.5)
    )
    assert (done.dropped, done.job_may_move) == ((), True)
    row = fabric.task(job_id)
    assert (row.state, row.results, row.cpu_s, row.lease_until) == (
        TaskState.COMPLETED,
        [["a", 1, "k", 0]],
        0.5,
        None,
    )
    assert counters(fabric, job_id) == (2, 1)


def test_a_job_tells_what_its_fabric_struggles_with_until_a_task_completes(fabric, held):
    worker_id, job_id = held
    broken = result(0, 1, reason=EndReason.RUNNER_FAILED, message="the daemon is gone")
    fabric.commit(worker_id, job_id, Stage.APP, broken)
    assert fabric.job(job_id).trouble.startswith("app 0, attempt 1: the daemon is gone; tried again after ")
    fabric.claim(worker_id, job_id, Stage.APP, 1)
    fabric.commit(worker_id, job_id, Stage.APP, result(1, 1))
    assert fabric.job(job_id).trouble == ""


def test_where_the_time_went_is_kept_of_each_task_and_summed_for_the_job(fabric, held):
    worker_id, job_id = held
    fabric.claim(worker_id, job_id, Stage.APP, 1)
    for index in (0, 1):
        fabric.set_task(
            job_id, index, created_at=fabric.task(job_id, index).received_at - timedelta(seconds=2)
        )
    warm = Spent(claimed_s=0.5, ran_s=1.5, tier=Tier.WARM, image="sha256:a")
    fabric.commit(worker_id, job_id, Stage.APP, result(0, 1, spent=warm))
    fabric.commit(
        worker_id, job_id, Stage.APP, result(0, 1, spent=warm), result(1, 1, spent=Spent(ran_s=0.5))
    )
    assert [row.spent for row in fabric.tasks(job_id)] == [
        {"claimed_s": 0.5, "ran_s": 1.5, "tier": "warm", "image": "sha256:a"},
        {"ran_s": 0.5},
    ]
    sums = Sums.model_validate(fabric.job(job_id).spent)
    assert (sums.tasks, sums.claims) == (2, {"warm": 1})
    assert {name: sums.seconds[name] for name in ("queued", "claimed", "ran")} == {
        "queued": 4.0,
        "claimed": 0.5,
        "ran": 2.0,
    }


def test_where_a_failed_attempts_time_went_is_kept_with_it(fabric, held):
    worker_id, job_id = held
    reason = EndReason.EXIT_NONZERO
    fabric.commit(worker_id, job_id, Stage.APP, result(0, 1, reason=reason, spent=Spent(ran_s=1.0)))
    assert [row.spent for row in fabric.attempts(job_id)] == [{"ran_s": 1.0}]
    fabric.skip_waits()
    fabric.claim(worker_id, job_id, Stage.APP, 0)
    assert fabric.task(job_id).spent is None
    fabric.commit(worker_id, job_id, Stage.APP, result(0, 2, reason=reason, spent=Spent(ran_s=2.0)))
    assert (fabric.task(job_id).state, fabric.task(job_id).spent) == (TaskState.FAILED, {"ran_s": 2.0})
    assert fabric.job(job_id).spent is None


def test_a_commit_sent_twice_counts_once_and_succeeds_twice(fabric, held):
    worker_id, job_id = held
    again = result(0, 1, files=(file("a"),))
    fabric.commit(worker_id, job_id, Stage.APP, again)
    done = fabric.commit(worker_id, job_id, Stage.APP, again)
    assert (done.dropped, done.job_may_move) == ((), False)
    assert counters(fabric, job_id) == (2, 1)


def test_a_failure_sent_twice_costs_the_budget_once(fabric, held):
    worker_id, job_id = held
    for _ in range(2):
        fabric.fail(worker_id, job_id, (0, 1), EndReason.EXIT_NONZERO)
    row = fabric.task(job_id)
    assert (row.state, row.user_failures) == (TaskState.SCHEDULED, 1)


@pytest.mark.parametrize("reason", [None, EndReason.EXIT_NONZERO])
def test_what_is_not_the_workers_is_dropped(fabric, held, reason):
    worker_id, job_id = held
    for worker, at in ((worker_id, (0, 2)), (worker_id, (1, 1)), (worker_id, (9, 1)), ("other", (0, 1))):
        done = fabric.commit(worker, job_id, Stage.APP, result(*at, reason=reason))
        assert (done.dropped, done.job_may_move) == ((at,), False)
    assert fabric.states(job_id) == [TaskState.RECEIVED, TaskState.SCHEDULED]


def test_a_lapsed_lease_that_nobody_claimed_may_commit(fabric, held):
    worker_id, job_id = held
    fabric.lapse(job_id, 0)
    assert fabric.states(job_id)[0] == TaskState.SCHEDULED
    assert fabric.commit(worker_id, job_id, Stage.APP, result(0, 1)).dropped == ()
    row = fabric.task(job_id)
    assert (row.state, row.reason, row.message, row.not_before) == (TaskState.COMPLETED, None, None, None)


def test_a_failure_after_the_lease_lapsed_is_not_charged_again(fabric, held):
    worker_id, job_id = held
    fabric.lapse(job_id, 0)
    fabric.fail(worker_id, job_id, (0, 1), EndReason.EXIT_NONZERO)
    row = fabric.task(job_id)
    assert (row.state, row.user_failures, row.infra_failures) == (TaskState.SCHEDULED, 0, 1)


def test_who_lost_its_lease_to_another_can_do_nothing(fabric, held):
    worker_id, job_id = held
    fabric.lapse(job_id, 0)
    fabric.skip_waits()
    other = fabric.worker("other")
    assert fabric.claim(other, job_id, Stage.APP, 0) == {0: 2}
    assert fabric.renew(worker_id, job_id, Stage.APP, (0, 1)) == set()
    assert fabric.commit(worker_id, job_id, Stage.APP, result(0, 1)).dropped == ((0, 1),)
    assert fabric.commit(other, job_id, Stage.APP, result(0, 2)).dropped == ()
    assert counters(fabric, job_id) == (2, 1)


def test_a_released_attempt_commits_nothing(fabric, held):
    worker_id, job_id = held
    fabric.write(tasks.release, worker_id, job_id, Stage.APP, [(0, 1)])
    assert fabric.commit(worker_id, job_id, Stage.APP, result(0, 1)).dropped == ((0, 1),)


def test_a_user_failure_within_the_budget_leaves_the_attempt_as_history(fabric, held):
    worker_id, job_id = held
    failed = result(0, 1, reason=EndReason.EXIT_NONZERO, message="boom", exit_code=3)
    fabric.commit(worker_id, job_id, Stage.APP, failed)
    (kept,) = fabric.attempts(job_id)
    assert (kept.chunk, kept.attempt, kept.reason, kept.exit_code, kept.message) == (
        0,
        1,
        EndReason.EXIT_NONZERO,
        3,
        "boom",
    )
    assert fabric.claim(worker_id, job_id, Stage.APP, 0) == {0: 2}
    assert (fabric.task(job_id).reason, fabric.task(job_id).exit_code) == (None, None)


def test_an_empty_budget_fails_the_job_with_the_tasks_words_and_cancels_the_rest(fabric, held):
    worker_id, job_id = held
    for attempt in (1, 2):
        fabric.fail(worker_id, job_id, (0, attempt), EndReason.EXIT_NONZERO)
        fabric.claim(worker_id, job_id, Stage.APP, 0)
    fabric.progress(job_id)
    row = fabric.job(job_id)
    assert (row.state, row.end_reason) == (JobState.FAILED, EndReason.EXIT_NONZERO)
    assert row.error_message == "task 0 failed: broken (after 2 attempts)"
    assert row.ended_at is not None
    assert fabric.states(job_id) == [TaskState.FAILED, TaskState.CANCELLED]


def test_an_infrastructure_failure_waits_and_leaves_the_users_budget_alone(fabric, held):
    worker_id, job_id = held
    fabric.fail(worker_id, job_id, (0, 1), EndReason.STORE_UNAVAILABLE)
    row = fabric.task(job_id)
    assert (row.state, row.user_failures, row.infra_failures) == (TaskState.SCHEDULED, 0, 1)
    assert fabric.claim(worker_id, job_id, Stage.APP, 0) == {}
    fabric.skip_waits()
    assert fabric.claim(worker_id, job_id, Stage.APP, 0) == {0: 2}


def test_a_worker_that_starts_anew_frees_its_leases_at_once(fabric, held):
    worker_id, job_id = held
    reborn = fabric.worker()
    assert fabric.states(job_id)[0] == TaskState.SCHEDULED
    assert fabric.task(job_id).reason == EndReason.WORKER_LOST
    fabric.skip_waits()
    assert fabric.claim(reborn, job_id, Stage.APP, 0) == {0: 2}
    assert fabric.commit(worker_id, job_id, Stage.APP, result(0, 1)).dropped == ((0, 1),)


def test_a_chunk_that_killed_three_workers_is_poison_and_fails_its_job(fabric):
    job_id = fabric.run_chunks(2)
    for attempt in range(1, 5):  # the first loss may be a neighbour's doing
        worker_id = fabric.worker()
        fabric.skip_waits()
        assert fabric.claim(worker_id, job_id, Stage.APP, 0) == {0: attempt}
    fabric.worker()
    fabric.progress(job_id)
    row = fabric.job(job_id)
    assert (row.state, row.end_reason) == (JobState.FAILED, EndReason.POISON)


def test_a_result_of_an_ended_job_is_dropped_and_the_job_stays_as_it_is(fabric, held):
    worker_id, job_id = held
    assert fabric.write(ending.abort, job_id, fabric.settings)
    assert fabric.commit(worker_id, job_id, Stage.APP, result(0, 1)).dropped == ((0, 1),)
    assert fabric.state(job_id) is JobState.ABORTED
    assert counters(fabric, job_id) == (2, 0)


@pytest.fixture
def partitioning(fabric):
    """Return a worker and a job whose partitioner it runs under attempt 1, with chunks 0 to 2."""
    job_id, worker_id = fabric.run(), fabric.worker("partitioner")
    fabric.claim(worker_id, job_id, Stage.PARTITION, 0)
    fabric.register(worker_id, job_id, 1, *(chunk(it) for it in range(3)))
    return worker_id, job_id


def test_the_partitioners_end_fixes_the_total(fabric, partitioning):
    worker_id, job_id = partitioning
    fabric.commit(worker_id, job_id, Stage.PARTITION, result(0, 1, total=3))
    row = fabric.job(job_id)
    assert (row.state, row.total, row.chunks) == (JobState.PARTITIONED, 3, 3)


def test_a_gap_among_the_chunks_fails_the_attempt(fabric, partitioning):
    worker_id, job_id = partitioning
    fabric.register(worker_id, job_id, 1, chunk(4))
    fabric.commit(worker_id, job_id, Stage.PARTITION, result(0, 1, total=5))
    task = fabric.task(job_id, stage=Stage.PARTITION)
    assert (task.state, task.reason) == (TaskState.SCHEDULED, EndReason.RUNNER_FAILED)
    assert task.message == "4 of 5 chunks were registered"
    assert fabric.state(job_id) is JobState.PARTITIONING


def test_a_partitioner_that_failed_takes_no_chunk_away(fabric, partitioning):
    worker_id, job_id = partitioning
    fabric.register(worker_id, job_id, 1, chunk(9))
    fabric.commit(worker_id, job_id, Stage.PARTITION, result(0, 1, total=5))
    assert [row.chunk for row in fabric.tasks(job_id)] == [0, 1, 2, 9]
    assert counters(fabric, job_id) == (4, 0)


def test_a_partitioner_without_chunks_fails_the_job_and_says_so(fabric, partitioning):
    worker_id, job_id = partitioning
    fabric.commit(worker_id, job_id, Stage.PARTITION, result(0, 1))
    fabric.progress(job_id)
    row = fabric.job(job_id)
    assert (row.state, row.end_reason) == (JobState.FAILED, EndReason.BAD_OUTPUT)
    assert "no chunk" in row.error_message


def test_fewer_chunks_than_an_earlier_run_wrote_are_all_there_is(fabric, partitioning):
    _, job_id = partitioning
    runner = fabric.worker("runner")
    fabric.claim(runner, job_id, Stage.APP, 0, 2)
    fabric.commit(runner, job_id, Stage.APP, result(0, 1), result(2, 1))
    reborn = fabric.worker("partitioner")
    fabric.skip_waits()
    fabric.claim(reborn, job_id, Stage.PARTITION, 0)
    fabric.register(reborn, job_id, 2, chunk(0), chunk(1))
    fabric.commit(reborn, job_id, Stage.PARTITION, result(0, 2, total=2))
    assert fabric.states(job_id) == [TaskState.COMPLETED, TaskState.SCHEDULED]
    assert counters(fabric, job_id) == (2, 1)


def test_the_assemblers_end_completes_the_job_with_its_attempts_output(fabric, partitioning):
    worker_id, job_id = partitioning
    fabric.commit(worker_id, job_id, Stage.PARTITION, result(0, 1, total=3))
    fabric.claim(worker_id, job_id, Stage.APP, 0, 1, 2)
    fabric.commit(worker_id, job_id, Stage.APP, *(result(it, 1) for it in range(3)))
    fabric.progress(job_id)
    assert fabric.state(job_id) is JobState.TASKS_COMPLETED
    fabric.claim(worker_id, job_id, Stage.ASSEMBLE, 0)
    assert fabric.state(job_id) is JobState.MERGING
    fabric.commit(worker_id, job_id, Stage.ASSEMBLE, result(0, 1))
    row = fabric.job(job_id)
    assert (row.state, row.output_epoch) == (JobState.COMPLETE, 1)
    assert row.output_expires_at > row.ended_at
    assert set(row.state_times) >= {JobState.MERGED, JobState.DOWNLOADING, JobState.COMPLETE}


def test_a_commit_and_an_abort_at_once_do_not_lock_each_other_out(fabric, partitioning, monkeypatch):
    """Each must take the job's row before its tasks' rows, or PostgreSQL ends one of the two."""
    worker_id, job_id = partitioning
    met = threading.Barrier(2)
    errors = []

    def after(function):
        def paused(*args, **kwargs):
            answer = function(*args, **kwargs)
            with suppress(threading.BrokenBarrierError):
                met.wait(0.5)
            return answer

        return paused

    monkeypatch.setattr(tasks, "holds", after(tasks.holds))
    monkeypatch.setattr(tasks, "locked", after(tasks.locked))
    monkeypatch.setattr(ending.job_states, "end", after(job_states.end))

    def run(work, *args):
        try:
            with suppress(LeaseLost):
                fabric.write(work, *args)
        except Exception as error:
            errors.append(error)

    threads = [
        threading.Thread(target=run, args=(fanout.register_chunks, worker_id, job_id, 1, [chunk(3)])),
        threading.Thread(target=run, args=(ending.abort, job_id, fabric.settings)),
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert fabric.state(job_id) is JobState.ABORTED
    assert set(fabric.states(job_id)) == {TaskState.CANCELLED}
