"""How a task's row looks to its job's owner: its states, where its time went, and the machine that had it."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Row

from api.shapes.jobs import Attempt, Phase, Reuse, Task
from gridloom import money
from gridloom.ids import task_id
from gridloom.phases import PHASES, QUEUED, seconds_of
from gridloom.reuse import ReuseNote
from gridloom.states import TASK_FINAL, Stage, TaskState
from gridloom.wire import Spent


def task_of(row: Row[Any], template_id: str, worker: Row[Any] | None) -> Task:
    """Return a task's published members; `worker` is the last that claimed it."""
    state = TaskState(row.state)
    completed_at = row.ended_at if state in TASK_FINAL else None
    times = {
        TaskState.SCHEDULED: row.created_at,
        TaskState.ASSIGNED: row.hinted_at,
        TaskState.RECEIVED: row.received_at,
        TaskState.RUNNING: row.started_at,
    }
    if completed_at:
        times[state] = completed_at
    spent = _spent(row)
    return Task(
        id=task_id(row.job_id, Stage(row.stage), row.chunk),
        job_id=row.job_id,
        chunk_number=row.chunk,
        state=state,
        state_timestamps={name.value: at for name, at in times.items() if at},
        assigned_to=row.worker_id,
        scheduled_at=row.created_at,
        assigned_at=row.hinted_at,
        received_at=row.received_at,
        started_at=row.started_at,
        completed_at=completed_at,
        price=money.to_number(row.price or 0),
        template_id=template_id,
        retries=max(0, row.attempt - 1),
        error_message=row.message or "",
        exit_code=row.exit_code,
        claim=spent.tier if spent else None,
        phases=_phases(row, spent),
        reuse=_reuse(row),
        container_stats=_known(
            cpuSeconds=row.cpu_s,
            peakMemoryMib=row.peak_memory_mib,
            preloadedModules=spent.preloaded if spent else None,
        ),
        network_stats=_known(receivedBytes=spent.received_bytes, sentBytes=spent.sent_bytes) if spent else {},
        device_info=_device(worker, spent) if worker else {},
    )


def attempts_of(row: Row[Any], earlier: Sequence[Row[Any]], workers: Mapping[str, Row[Any]]) -> list[Attempt]:
    """Return every try at a task: those that were tried again, and its row, which is the last."""
    tried = [*earlier, row] if row.worker_id and row.attempt else earlier
    return [
        Attempt(
            number=it.attempt,
            assigned_to=it.worker_id,
            received_at=it.received_at,
            started_at=it.started_at,
            ended_at=it.ended_at,
            reason=it.reason or "",
            exit_code=it.exit_code,
            error_message=it.message or "",
            device_info=_device(workers[it.worker_id], _spent(it)) if it.worker_id in workers else {},
        )
        for it in tried
    ]


def _spent(row: Row[Any]) -> Spent | None:
    return Spent.model_validate(row.spent) if row.spent else None


def _phases(row: Row[Any], spent: Spent | None) -> list[Phase]:
    seconds = seconds_of(spent) if spent else {}
    if row.received_at:
        seconds[QUEUED] = (row.received_at - row.created_at).total_seconds()
    return [Phase(name=name, seconds=seconds[name]) for name in PHASES if name in seconds]


def _reuse(row: Row[Any]) -> Reuse | None:
    if not row.reuse:
        return None
    note = ReuseNote.model_validate(row.reuse)
    if not note.hit:
        return Reuse(hit=False, reason=note.reason)
    return Reuse(
        hit=True,
        reason=note.reason,
        job_id=note.job_id,
        task_id=task_id(note.job_id, Stage.APP, note.chunk),
        saved_seconds=round(note.saved_s, 6),
    )


def _device(worker: Row[Any], spent: Spent | None) -> dict[str, Any]:
    return _known(
        runnerName=worker.name,
        runner=worker.runner,
        isolation=(spent.isolation if spent else "") or worker.isolation,
        image=(spent.image if spent else "") or None,
        host=worker.host,
        cores=worker.cores,
        memoryMib=worker.memory_mib,
        gpus=worker.gpus,
    )


def _known(**values: Any) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}
