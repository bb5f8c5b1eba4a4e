"""Whatever happens, in whatever order: results count once, attempts only grow, ended jobs rest until they are delivered
again, and every job ends.

One machine plays users, scheduler, workers and faults in a real database. Hints get lost and doubled, leases lapse,
workers die and return, commits come late, twice or not at all.
"""

import shutil
import tempfile
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, multiple, rule
from sqlalchemy import select, update
from structlog.testing import capture_logs

from gridloom.errors import BadState, LeaseLost
from gridloom.sources import SourceSpec
from gridloom.states import JOB_FINAL, TASK_LEASED, EndReason, JobState, Stage, TaskState
from scheduler import ending
from scheduler.delivery import redeliver
from scheduler.dispatch import Dispatcher
from storage.db import Database
from storage.repositories import tasks as task_rows
from storage.tables import attempts, jobs, tasks
from tests.fixtures.fabric import Fabric, chunk, file, plan_of, result, stage_of

MOST_CHUNKS = 4
LONG_AGO = datetime.now(UTC) - timedelta(hours=1)
REASONS = st.sampled_from(
    [
        EndReason.EXIT_NONZERO,
        EndReason.STORE_UNAVAILABLE,
        EndReason.WORKER_STOPPED,
        EndReason.DATA_SOURCE,
        EndReason.OUT_OF_MEMORY,
    ]
)
ALL_ROWS = {table: select(table) for table in (attempts, jobs, tasks)}
PASSTHROUGH = {"partitioner": stage_of(passthrough=True), "source": SourceSpec(descriptor="bypass")}


@dataclass(frozen=True)
class Lease:
    """What a worker once won; it may long have lost it."""

    worker_id: str
    job_id: str
    stage: Stage
    chunk: int
    attempt: int


class Queue:
    """Every hint that waits, whatever its class."""

    def __init__(self):
        self.hints = []

    def depths(self, queues):
        return dict.fromkeys(queues, len(self.hints))

    def send(self, hints):
        self.hints += [hint for _, hint in hints]
        return len(hints)


class Weather(RuleBasedStateMachine):
    """The rules are what may happen; the invariants what must hold after each."""

    leases = Bundle("leases")
    made: Path  #: of a database whose tables are empty

    def __init__(self):
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="gl-weather-"))
        self.database = Database(f"sqlite:///{shutil.copy(self.made, self.folder / 'db')}")
        self.fabric = Fabric(self.database, infra_retries=4)
        self.queue = Queue()
        self.dispatcher = Dispatcher(self.database, self.queue, self.fabric.settings)
        self.job_ids, self.workers = [], {}
        self.before, self.completed, self.ended = {}, Counter(), {}
        self.log = capture_logs()
        self.log.__enter__()
        self.start_worker("a")

    # What users do.

    @rule(
        retries=st.integers(0, 2),
        by_reference=st.booleans(),
        passthrough=st.booleans(),
        destination=st.sampled_from(["bucket", "aws"]),
    )
    def submit(self, retries, by_reference, passthrough, destination):
        changes = {
            "assembler": stage_of(passthrough=by_reference),
            "max_task_retries": retries,
            "destination": destination,
        }
        self.job_ids.append(self.fabric.run(plan_of(**changes | (PASSTHROUGH if passthrough else {}))))

    @rule(data=st.data())
    def abort(self, data):
        if self.job_ids and data.draw(st.integers(0, 4)) == 0:
            self.fabric.write(ending.abort, data.draw(st.sampled_from(self.job_ids)), self.fabric.settings)

    @rule(data=st.data())
    def deliver_again(self, data):
        if self.job_ids:
            self.redeliver(data.draw(st.sampled_from(self.job_ids)))

    # What the scheduler does.

    @rule()
    def dispatch(self):
        self.dispatcher.round()

    @rule()
    def progress(self):
        for job_id in self.job_ids:
            self.fabric.progress(job_id)

    @rule()
    def wait(self):
        self.fabric.skip_waits()

    @rule()
    def wait_long(self):
        """Hints grow so old that they count as lost."""
        self.write(update(tasks).where(tasks.c.state == TaskState.ASSIGNED).values(hinted_at=LONG_AGO))

    # What workers do.

    @rule(name=st.sampled_from("ab"))
    def start_worker(self, name):
        """Start it, or kill it and start it anew."""
        self.workers[name] = self.fabric.worker(name)

    @rule(target=leases, name=st.sampled_from("ab"), many=st.booleans())
    def take(self, name, many):
        if name not in self.workers or not self.queue.hints:
            return multiple()
        taken, self.queue.hints = (
            (self.queue.hints, []) if many else (self.queue.hints[:1], self.queue.hints[1:])
        )
        return multiple(
            *(it for hint in taken for it in self.claim(name, hint.job_id, hint.stage, *hint.chunks))
        )

    @rule(target=leases, name=st.sampled_from("ab"))
    def serve(self, name):
        """Let a round go as it should, up to the claim of all that waits."""
        return multiple(*self.round(name))

    @rule(target=leases, name=st.sampled_from("ab"))
    def work(self, name):
        """Let a round go as it should, to the end of every task."""
        won = self.round(name)
        for lease in won:
            if lease.stage is Stage.APP:
                self.commit(lease)
        return multiple(*won)

    @rule(target=leases, lease=leases, name=st.sampled_from("ab"))
    def overtake(self, lease, name):
        """Let a lease lapse, another worker claim the task, and the first commit all the same."""
        self.lapse(lease)
        won = self.round(name)
        self.commit(lease, total=1)
        return multiple(*won)

    @rule(lease=leases)
    def renew(self, lease):
        kept = self.fabric.renew(lease.worker_id, lease.job_id, lease.stage, (lease.chunk, lease.attempt))
        row = self.row(lease)
        held = row is not None and row.state in TASK_LEASED and row.attempt == lease.attempt
        assert bool(kept) == (held and row.worker_id == lease.worker_id)

    @rule(lease=leases)
    def start_process(self, lease):
        at = {(lease.chunk, lease.attempt): datetime.now(UTC)}
        self.fabric.write(task_rows.mark_running, lease.worker_id, lease.job_id, lease.stage, at)

    @rule(lease=leases, content=st.sampled_from("xy"), indices=st.sets(st.integers(0, MOST_CHUNKS - 1)))
    def add_chunks(self, lease, content, indices):
        if lease.stage is Stage.PARTITION:
            self.register(lease, content, indices)

    @rule(lease=leases, total=st.integers(0, MOST_CHUNKS))
    def succeed(self, lease, total):
        """Commit, in time or late, once or again."""
        self.commit(lease, total=total, files=(file("out"),))

    @rule(lease=leases, content=st.sampled_from("xy"), total=st.integers(1, MOST_CHUNKS))
    def partition(self, lease, content, total):
        """Partition well from beginning to end."""
        if lease.stage is Stage.PARTITION:
            self.register(lease, content, range(total))
            self.commit(lease, total=total)

    @rule(lease=leases, reason=REASONS)
    def fail(self, lease, reason):
        self.commit(lease, reason=reason)

    @rule(lease=leases)
    def release(self, lease):
        held = [(lease.chunk, lease.attempt)]
        self.fabric.write(task_rows.release, lease.worker_id, lease.job_id, lease.stage, held)

    @rule(lease=consumes(leases))
    def forget(self, lease):
        """The worker drops it without a word."""

    # What goes wrong.

    @rule()
    def lose_hints(self):
        self.queue.hints.clear()

    @rule()
    def double_hints(self):
        self.queue.hints += self.queue.hints[:8]

    @rule(lease=leases)
    def lapse(self, lease):
        self.fabric.lapse(lease.job_id, lease.chunk, stage=lease.stage)

    # What must hold.

    @invariant()
    def rows_move_only_as_they_may(self):
        after = {(it.job_id, it.stage, it.chunk): it for it in self.rows(tasks)}
        for key, row in after.items():
            old = self.before.get(key)
            if old is None:
                continue
            assert row.attempt >= old.attempt
            if key[1] == Stage.DELIVER and row.created_at != old.created_at:
                continue
            if old.state == TaskState.COMPLETED and row.state != TaskState.COMPLETED:
                assert key[1] == Stage.APP
                assert row.attempt > old.attempt
            if old.state in {TaskState.FAILED, TaskState.CANCELLED}:
                assert row == old
            if row.state == TaskState.COMPLETED and old.state != TaskState.COMPLETED:
                self.completed[*key, row.attempt] += 1
        assert all(times == 1 for times in self.completed.values())
        self.before = after

    @invariant()
    def ended_jobs_rest(self):
        for row in self.rows(jobs):
            if row.id in self.ended:
                assert row == self.ended[row.id]
            elif row.state in JOB_FINAL:
                self.ended[row.id] = row

    @invariant()
    def counters_equal_the_rows(self):
        rows = [it for it in self.rows(tasks) if it.stage == Stage.APP]
        for job in self.rows(jobs):
            mine = [it for it in rows if it.job_id == job.id]
            assert job.completed == sum(it.state == TaskState.COMPLETED for it in mine)
            assert job.chunks == len(mine)
            assert job.total in (None, len(mine))
            if job.state == JobState.COMPLETE:
                assert job.completed == job.chunks > 0
            if job.state in JOB_FINAL:
                assert not any(it.state in TASK_LEASED for it in mine)

    @invariant()
    def no_attempt_is_history_and_current_success_under_one_number_twice(self):
        kept = Counter((it.job_id, it.stage, it.chunk, it.attempt) for it in self.rows(attempts))
        assert all(times == 1 for times in kept.values())

    def teardown(self):
        """When faults stop, every job ends, also one that is delivered again."""
        try:
            self.calm()
            if sum(map(self.redeliver, self.job_ids)):
                self.calm()
        finally:
            self.log.__exit__(None, None, None)
            self.database.close()
            shutil.rmtree(self.folder)

    def redeliver(self, job_id):
        with suppress(BadState):
            self.fabric.write(redeliver, job_id, None, self.fabric.settings)
            del self.ended[job_id]
            return True
        return False

    def round(self, name):
        if name not in self.workers:
            self.start_worker(name)
        if not self.job_ids:
            self.job_ids.append(self.fabric.run(plan_of(max_task_retries=2)))
        self.wait()
        self.wait_long()
        self.progress()
        self.dispatch()
        taken, self.queue.hints = self.queue.hints, []
        return [it for hint in taken for it in self.claim(name, hint.job_id, hint.stage, *hint.chunks)]

    def calm(self):
        worker_ids = [self.fabric.worker(name) for name in "ab"]
        self.workers = dict(zip("ab", worker_ids, strict=True))
        for _ in range(30):
            self.wait()
            self.wait_long()
            self.progress()
            self.dispatch()
            taken, self.queue.hints = self.queue.hints, []
            for hint in taken:
                for lease in self.claim("a", hint.job_id, hint.stage, *hint.chunks):
                    self.partition_or_succeed(lease)
            if all(row.state in JOB_FINAL for row in self.rows(jobs)):
                break
        self.rows_move_only_as_they_may()
        self.counters_equal_the_rows()
        self.ended_jobs_rest()
        assert {row.state for row in self.rows(jobs)} <= set(JOB_FINAL)

    def partition_or_succeed(self, lease):
        if lease.stage is Stage.PARTITION:
            self.register(lease, "z", range(3))
        self.commit(lease, total=3)

    def claim(self, name, job_id, stage, *chunks):
        won = self.fabric.claim(self.workers[name], job_id, stage, *chunks)
        return [Lease(self.workers[name], job_id, stage, index, attempt) for index, attempt in won.items()]

    def register(self, lease, content, indices):
        try:
            chunks = [chunk(it, content) for it in indices]
            self.fabric.register(lease.worker_id, lease.job_id, lease.attempt, *chunks)
        except LeaseLost:
            row = self.row(lease)
            assert row.state not in TASK_LEASED or row.attempt != lease.attempt

    def commit(self, lease, **changes):
        ended = result(lease.chunk, lease.attempt, **changes)
        self.fabric.commit(lease.worker_id, lease.job_id, lease.stage, ended)

    def write(self, statement):
        self.fabric.write(lambda connection: connection.execute(statement))

    def rows(self, table):
        with self.database.read() as connection:
            return list(connection.execute(ALL_ROWS[table]))

    def row(self, lease):
        where = (lease.job_id, lease.stage, lease.chunk)
        return next((it for it in self.rows(tasks) if (it.job_id, it.stage, it.chunk) == where), None)


@pytest.fixture(scope="module", autouse=True)
def _made(sqlite_made):
    Weather.made = sqlite_made


TestWeather = pytest.mark.timeout(300)(Weather.TestCase)
TestWeather.settings = settings(
    max_examples=25, stateful_step_count=40, deadline=None, suppress_health_check=list(HealthCheck)
)
