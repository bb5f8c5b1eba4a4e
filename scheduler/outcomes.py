"""What the ends of attempts do to tasks and jobs: the control plane's side of a commit.

Everything here happens in one transaction. A result counts only when the task still carries the attempt number that
the result was computed under; everything else is dropped without a trace.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import Connection

from gridloom import phases
from gridloom.phases import Sums
from gridloom.rates import rate_card
from gridloom.settings import Settings
from gridloom.states import TASK_LEASED, EndReason, JobState, Stage, TaskState, task_sources_of
from gridloom.wire import AttemptResult
from scheduler import ending, pricing, retry
from storage.columns import AnyRow
from storage.descriptors import S3_KINDS
from storage.repositories import chunks, deliveries, job_states, reuse, tasks

# A result is taken from a lapsed lease that nobody claimed since. A failure is not: it was charged when it lapsed, or
# this is the same commit again.
_MAY_COMPLETE = task_sources_of(TaskState.COMPLETED)
_MAY_FAIL = TASK_LEASED


@dataclass(frozen=True, slots=True, kw_only=True)
class Committed:
    """Which attempts were too late, and whether the job may be able to move on."""

    dropped: tuple[tuple[int, int], ...]
    job_may_move: bool


def commit(
    connection: Connection,
    worker_id: str,
    job_id: str,
    stage: Stage,
    results: Sequence[AttemptResult],
    settings: Settings,
) -> Committed:
    """Apply the ends of attempts of one stage; result files must carry keys."""
    jobs = job_states.lock(connection, [job_id])
    rows = tasks.locked(connection, job_id, stage, [result.chunk for result in results])
    done: list[AttemptResult] = []
    failed: list[AttemptResult] = []
    dropped: list[tuple[int, int]] = []
    # One that is sent twice counts once.
    for result in {(it.chunk, it.attempt): it for it in results}.values():
        row = rows.get(result.chunk)
        if row is None or row.attempt != result.attempt or row.worker_id != worker_id:
            dropped.append((result.chunk, result.attempt))
        elif TaskState(row.state) in (_MAY_FAIL if result.reason else _MAY_COMPLETE):
            checked = _whole(connection, job_id, result) if stage is Stage.PARTITION else result
            (failed if checked.reason else done).append(checked)
        elif row.state != TaskState.COMPLETED or result.reason:
            dropped.append((result.chunk, result.attempt))
    if done:
        prices: dict[int, int] = {}
        if stage is Stage.APP:
            card = rate_card(settings.gpu_rates)
            prices = pricing.of_results(connection, jobs[job_id].app_needs, rows, done, card)
            _count(connection, jobs[job_id], rows, done, prices.values())
            reuse.note(connection, jobs[job_id], [it.chunk for it in done])
        _complete(connection, job_id, stage, done, prices, settings)
    for result in failed:
        end_badly(connection, rows[result.chunk], result, settings)
    return Committed(dropped=tuple(dropped), job_may_move=bool(done or failed))


def end_badly(
    connection: Connection, row: AnyRow, result: AttemptResult, settings: Settings
) -> retry.Verdict:
    """Apply the end of an attempt without a result: another try, or the task fails."""
    reason = result.reason or EndReason.RUNNER_FAILED
    job = job_states.find(connection, row.job_id)
    retries = job_states.plan_of(job).max_task_retries if job is not None and job.plan else 0
    verdict = retry.decide(
        retry.Record(
            user_failures=row.user_failures,
            infra_failures=row.infra_failures,
            kills=row.kills,
            # A delivery runs nobody's code that could take its worker down.
            alone=row.stage != Stage.DELIVER and (row.state == TaskState.RUNNING or row.infra_failures > 0),
        ),
        reason,
        retry.Budgets(user=retries, infra=settings.infra_retries, kills=settings.poison_kills),
    )
    moment = job_states.now(connection)
    tasks.end_attempt(
        connection,
        row,
        state=verdict.state,
        reason=verdict.reason,
        message=result.message,
        exit_code=result.exit_code,
        started_at=result.started_at or row.started_at,
        ended_at=result.ended_at,
        spent=phases.stored(result.spent),
        reuse=None if pricing.reused(result) else _noted(result),
        not_before=moment + timedelta(seconds=verdict.wait_s) if verdict.retried else None,
        user_failures=verdict.user_failures,
        infra_failures=verdict.infra_failures,
        kills=verdict.kills,
    )
    if verdict.retried and verdict.infra_failures > row.infra_failures:
        where = f"{row.stage} {row.chunk}" if row.stage == Stage.APP else row.stage
        trouble = f"{where}, attempt {row.attempt}: {result.message or reason.value}; tried again after {verdict.wait_s:.0f} s"
        job_states.set_trouble(connection, row.job_id, trouble)
    return verdict


def lose(connection: Connection, rows: Sequence[AnyRow], message: str, settings: Settings) -> set[str]:
    """End leased attempts whose worker is gone; return the jobs concerned."""
    concerned = {row.job_id for row in rows}
    job_states.lock(connection, concerned)
    moment = job_states.now(connection)
    for row in rows:
        lost = AttemptResult(
            chunk=row.chunk,
            attempt=row.attempt,
            reason=EndReason.WORKER_LOST,
            message=message,
            started_at=row.started_at,
            ended_at=moment,
        )
        end_badly(connection, row, lost, settings)
    return concerned


def _complete(
    connection: Connection,
    job_id: str,
    stage: Stage,
    done: Sequence[AttemptResult],
    prices: Mapping[int, int],
    settings: Settings,
) -> None:
    tasks.complete(connection, job_id, stage, [_row(it) | {"price": prices.get(it.chunk)} for it in done])
    if stage is Stage.PARTITION:
        total = done[0].total or 0
        job_states.advance(connection, job_id, JobState.PARTITIONED, total=total, chunks=total, trouble="")
    elif stage is Stage.ASSEMBLE:
        output_stands(connection, job_id, done[0].attempt, settings)
    elif stage is Stage.DELIVER:
        ending.complete(connection, job_id, settings)


def _count(
    connection: Connection,
    job: AnyRow,
    rows: Mapping[int, AnyRow],
    done: Sequence[AttemptResult],
    prices: Collection[int],
) -> None:
    ran = [it for it in done if not pricing.reused(it)]
    sums = Sums.model_validate(job.spent or {}).plus(
        ((_queued_s(rows[it.chunk]), it.spent) for it in ran), len(done) - len(ran)
    )
    job_states.add_counts(
        connection,
        job.id,
        completed=len(done),
        busy_s=sum(map(_busy_s, done)),
        spent=sums.model_dump(mode="json"),
        price=sum(prices),
    )


def _busy_s(result: AttemptResult) -> float:
    """Return what the result cost to compute, also where that was earlier: the next chunk may cost as much."""
    if result.reuse is not None and result.reuse.hit:
        return result.reuse.saved_s
    return (result.ended_at - result.started_at).total_seconds() if result.started_at else 0.0


def _queued_s(row: AnyRow) -> float:
    waited: timedelta = row.received_at - row.created_at
    return waited.total_seconds()


def output_stands(connection: Connection, job_id: str, epoch: int, settings: Settings) -> None:
    """Go on with a job whose output of `epoch` stands in the fabric's own store: deliver it to a bucket of the user's,
    or be done."""
    job = job_states.find(connection, job_id)
    if job is None:
        return
    if job_states.plan_of(job).destination not in S3_KINDS:
        ending.complete(connection, job_id, settings, output_epoch=epoch)
    elif job_states.advance(connection, job_id, JobState.MERGED, output_epoch=epoch, warning="", trouble=""):
        deliveries.begin(connection, job_id)


def _whole(connection: Connection, job_id: str, result: AttemptResult) -> AttemptResult:
    """Return the partitioner's result, failed when it made no chunk or not every chunk it claims is registered."""
    if result.reason:
        return result
    total = result.total or 0
    if not total:
        message = "the partitioner wrote no chunk"
        return result.model_copy(update={"reason": EndReason.BAD_OUTPUT, "message": message})
    found = chunks.count(connection, job_id, below=total)
    if found < total:
        message = f"{found} of {total} chunks were registered"
        return result.model_copy(update={"reason": EndReason.RUNNER_FAILED, "message": message})
    undone, price = chunks.drop_from(connection, job_id, total)
    job_states.add_counts(connection, job_id, completed=-undone, price=-price)
    return result


def _noted(result: AttemptResult) -> dict[str, Any] | None:
    return result.reuse.model_dump(mode="json") if result.reuse else None


def _row(result: AttemptResult) -> dict[str, Any]:
    return {
        "at_chunk": result.chunk,
        "at_attempt": result.attempt,
        "started_at": result.started_at,
        "ended_at": result.ended_at,
        "cpu_s": result.cpu_s,
        "peak_memory_mib": result.peak_memory_mib,
        "spent": phases.stored(result.spent),
        "exit_code": result.exit_code,
        "reuse": _noted(result),
        "results": [[file.name, file.size, file.key, file.offset] for file in result.files],
    }
