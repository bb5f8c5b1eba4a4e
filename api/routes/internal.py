"""The workers' API: every call names attempt numbers, and whoever is late is told so and dropped."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated, Any

import structlog
from fastapi import APIRouter, Depends, Request, Response
from sqlalchemy import Connection

from api import injection
from api.context import Context
from api.deps import ContextDep
from api.metric_pages import readable
from api.packs import inline_chunks, put_logs, put_pack
from api.worker_gate import AnyWorkerDep, JoinDep, WorkerDep
from gridloom import frames
from gridloom.errors import AttemptFailed, LeaseLost
from gridloom.ids import new_token, new_uuid
from gridloom.net_guard import PrivateHosts
from gridloom.states import Stage
from gridloom.wire import (
    AttemptResult,
    ChunksRequest,
    ClaimReply,
    ClaimRequest,
    CommitReply,
    CommitRequest,
    HeartbeatReply,
    HeartbeatRequest,
    Hold,
    LogsRequest,
    OutputFile,
    OutputsPage,
    OutputsRequest,
    PinReply,
    PinRequest,
    RegisterReply,
    RegisterRequest,
    ReleaseRequest,
    ResultFile,
    ResultsPage,
    StageRequest,
    TaskResults,
    WarmReply,
    WarmRequest,
    Work,
)
from scheduler import claims, fanout, outcomes, strays, warming
from storage.repositories import assembly, logs, outputs, tasks, worker_metrics, workers

log = structlog.get_logger()
router = APIRouter(prefix="/internal/v1", include_in_schema=False)

_RESULTS_PAGE = 1_000


async def _body(request: Request) -> bytes:
    return await request.body()


BodyDep = Annotated[bytes, Depends(_body)]


@router.post("/register", dependencies=[JoinDep])
def register(request: RegisterRequest, context: ContextDep) -> RegisterReply:
    """Let a worker in; what an earlier incarnation of it held is free again at once."""
    worker_id, token = f"worker_{new_uuid()}", new_token("glw")

    def work(connection: Connection) -> set[str]:
        gone = workers.register(connection, worker_id, token, request)
        held = tasks.held_by(connection, gone) if gone else []
        return outcomes.lose(connection, held, "its worker was started anew", context.settings)

    for job_id in context.writer.run(work):
        context.wakeup.notify(job_id)
    context.wakeup.notify("")
    return RegisterReply(worker_id=worker_id, token=token, lease_s=context.settings.lease_s)


@router.post("/claim")
def claim(request: ClaimRequest, context: ContextDep, worker_id: WorkerDep) -> Response:
    """Lease tasks; small chunks travel in the answer."""
    won = context.writer.run(
        lambda connection: claims.claim(connection, worker_id, request, context.settings)
    )
    work = _completed(context, worker_id, request, won)
    tail = b""
    reply = ClaimReply(lease_s=context.settings.lease_s)
    if work is not None:
        claimed, tail = inline_chunks(context.store, won.rows)
        reply = ClaimReply(lease_s=context.settings.lease_s, work=work, claimed=claimed)
    return Response(frames.pack(reply, tail), media_type=frames.CONTENT_TYPE)


@router.post("/heartbeat")
def heartbeat(request: HeartbeatRequest, context: ContextDep, worker_id: WorkerDep) -> HeartbeatReply:
    """Renew leases; the answer names those that are no longer the worker's.

    Those that the worker should have named and didn't are free again.
    """
    metrics = request.metrics if readable(request.metrics) else ""
    if metrics != request.metrics:
        log.warning("metrics_dropped", worker=worker_id, characters=len(request.metrics))
    groups: dict[tuple[str, Stage], list[Hold]] = defaultdict(list)
    for hold in request.holds:
        groups[hold.job_id, hold.stage].append(hold)

    def work(connection: Connection) -> tuple[Hold, ...]:
        workers.seen(connection, worker_id)
        if metrics:
            worker_metrics.put(connection, worker_id, metrics)
        lost: list[Hold] = []
        for (job_id, stage), holds in groups.items():
            lost += _renew(connection, context, worker_id, job_id, stage, holds)
        return tuple(lost)

    lost = context.writer.run(work)
    _free_strays(context, worker_id, request.holds)
    return HeartbeatReply(lease_s=context.settings.lease_s, lost=lost)


@router.post("/commit")
def commit(body: BodyDep, context: ContextDep, worker_id: WorkerDep) -> CommitReply:
    """Take the ends of attempts, with their results and what they printed."""
    request, tail = frames.unpack(CommitRequest, body)
    key = ""
    if any(file.key is None for result in request.results for file in result.files):
        key = put_pack(context.store, request.job_id, "results", tail)
    results = tuple(
        result.model_copy(update={"files": tuple(_with_key(file, key) for file in result.files)})
        for result in request.results
    )
    segments = put_logs(context.store, request.job_id, request.logs, tail)

    def work(connection: Connection) -> tuple[set[str], outcomes.Committed]:
        refused = _insert_logs(connection, worker_id, request.job_id, request.stage, segments)
        return refused, outcomes.commit(
            connection, worker_id, request.job_id, request.stage, results, context.settings
        )

    refused, committed = context.writer.run(work)
    for unused in refused:
        context.store.delete(unused)
    if committed.job_may_move:
        context.wakeup.notify(request.job_id)
    return CommitReply(dropped=committed.dropped)


@router.post("/release", status_code=204)
def release(request: ReleaseRequest, context: ContextDep, worker_id: WorkerDep) -> None:
    """Take leases back untouched."""

    def work(connection: Connection) -> None:
        for hold in request.holds:
            held = [(hold.chunk, hold.attempt)]
            tasks.release(connection, worker_id, hold.job_id, hold.stage, held)

    context.writer.run(work)
    for job_id in {hold.job_id for hold in request.holds}:
        context.wakeup.notify(job_id)


@router.post("/logs", status_code=204)
def add_logs(body: BodyDep, context: ContextDep, worker_id: WorkerDep) -> None:
    """Keep what attempts that still run have printed."""
    request, tail = frames.unpack(LogsRequest, body)
    segments = put_logs(context.store, request.job_id, request.logs, tail)
    refused = context.writer.run(
        lambda connection: _insert_logs(connection, worker_id, request.job_id, request.stage, segments)
    )
    for key in refused:
        context.store.delete(key)


@router.post("/chunks", status_code=204)
def add_chunks(body: BodyDep, context: ContextDep, worker_id: WorkerDep) -> None:
    """Make tasks of chunks while the partitioner still runs."""
    request, tail = frames.unpack(ChunksRequest, body)
    key = ""
    if any(chunk.key is None for chunk in request.chunks):
        key = put_pack(context.store, request.job_id, "chunks", tail)
    chunks = [chunk if chunk.key else chunk.model_copy(update={"key": key}) for chunk in request.chunks]
    context.writer.run(
        lambda connection: fanout.register_chunks(
            connection, worker_id, request.job_id, request.attempt, chunks
        )
    )
    context.wakeup.notify(request.job_id)


@router.post("/outputs", status_code=204)
def add_outputs(request: OutputsRequest, context: ContextDep, worker_id: WorkerDep) -> None:
    """Note files of a job's output; they count once their attempt commits."""
    rows = [file.model_dump() for file in request.files]

    def work(connection: Connection) -> None:
        _must_hold(connection, worker_id, request.job_id, Stage.ASSEMBLE, request.attempt)
        assembly.add_outputs(connection, request.job_id, request.attempt, rows)

    context.writer.run(work)


@router.get("/outputs")
def output_page(
    job_id: str, attempt: int, context: ContextDep, worker_id: WorkerDep, after: str = ""
) -> OutputsPage:
    """Return a page of a job's output to the worker that delivers it."""
    with context.database.read() as connection:
        _must_hold(connection, worker_id, job_id, Stage.DELIVER, attempt)
        rows = outputs.delivered(connection, job_id, limit=_RESULTS_PAGE + 1, after=after)
    files = (OutputFile(path=it.path, size=it.size, key=it.key, offset=it.offset) for it in rows)
    return OutputsPage(files=tuple(files)[:_RESULTS_PAGE], more=len(rows) > _RESULTS_PAGE)


@router.post("/phase", status_code=204)
def phase(request: StageRequest, context: ContextDep, worker_id: WorkerDep) -> None:
    """Note that a stage's own process starts."""
    context.writer.run(
        lambda connection: fanout.begin_phase(
            connection, worker_id, request.job_id, request.stage, request.attempt
        )
    )


@router.post("/warm", dependencies=[AnyWorkerDep])
def warm(request: WarmRequest, context: ContextDep) -> WarmReply:
    """Say what a job that was just submitted will run."""
    with context.database.read() as connection:
        return warming.wanted(connection, context.vault, request.job_id)


@router.post("/pin", dependencies=[AnyWorkerDep])
def pin(request: PinRequest, context: ContextDep) -> PinReply:
    """Keep the first digest that a worker finds for an image of a live job."""
    return PinReply(digest=context.writer.run(lambda connection: warming.pin(connection, request)))


@router.get("/results")
def results(
    job_id: str, attempt: int, context: ContextDep, worker_id: WorkerDep, from_chunk: int = 0
) -> ResultsPage:
    """Return a page of results to the worker that assembles them."""
    with context.database.read() as connection:
        _must_hold(connection, worker_id, job_id, Stage.ASSEMBLE, attempt)
        rows, following = assembly.results_page(connection, job_id, from_chunk, _RESULTS_PAGE)
    page = tuple(TaskResults(chunk=row.chunk, files=_files(row.results)) for row in rows)
    return ResultsPage(tasks=page, next_chunk=following)


def _completed(context: Context, worker_id: str, request: ClaimRequest, won: claims.Won) -> Work | None:
    """Return the work with its secrets; where they can't be had its attempts end, and there is none."""
    if won.work is None or injection.is_complete(won.planned, won.work):
        return won.work
    allow = PrivateHosts.parse(context.settings.allow_private_hosts)
    try:
        with context.database.read() as connection:
            return injection.complete(connection, context.vault, request, won.planned, won.work, allow=allow)
    except AttemptFailed as failure:
        _end_unequipped(context, worker_id, request, won, failure)
        return None


def _end_unequipped(
    context: Context, worker_id: str, request: ClaimRequest, won: claims.Won, failure: AttemptFailed
) -> None:
    log.warning("secrets_missing", job=request.job_id, stage=request.stage, error=failure.message)
    now = datetime.now(UTC)
    ends = [
        AttemptResult(
            chunk=row.chunk,
            attempt=row.attempt,
            reason=failure.reason,
            message=failure.message,
            ended_at=now,
        )
        for row in won.rows
    ]
    context.writer.run(
        lambda connection: outcomes.commit(
            connection, worker_id, request.job_id, request.stage, ends, context.settings
        )
    )
    context.wakeup.notify(request.job_id)


def _renew(
    connection: Connection, context: Context, worker_id: str, job_id: str, stage: Stage, holds: list[Hold]
) -> list[Hold]:
    started: dict[tuple[int, int], datetime] = {
        (hold.chunk, hold.attempt): hold.running_since for hold in holds if hold.running_since
    }
    held = [(hold.chunk, hold.attempt) for hold in holds]
    kept = tasks.renew(connection, worker_id, job_id, stage, held, context.settings.lease_s)
    running = {pair: at for pair, at in started.items() if pair in kept}
    tasks.mark_running(connection, worker_id, job_id, stage, running)
    return [hold for hold in holds if (hold.chunk, hold.attempt) not in kept]


def _free_strays(context: Context, worker_id: str, holds: Sequence[Hold]) -> None:
    with context.database.read() as connection:
        if not strays.found(connection, worker_id, holds, context.settings):
            return
    freed = context.writer.run(
        lambda connection: strays.release(connection, worker_id, holds, context.settings)
    )
    for job_id in freed:
        context.wakeup.notify(job_id)


def _insert_logs(
    connection: Connection, worker_id: str, job_id: str, stage: Stage, segments: Sequence[dict[str, Any]]
) -> set[str]:
    """Keep the segments of tasks that this worker worked on; return the keys of the others, which nobody keeps."""
    own: list[dict[str, Any]] = []
    if segments and logs.kept(connection, job_id):
        own = [
            it
            for it in segments
            if tasks.worked_on(connection, worker_id, job_id, stage, it["first_chunk"], it["last_chunk"])
        ]
        logs.insert(connection, job_id, stage, own)
    others = {str(it["key"]) for it in segments if it not in own}
    return logs.unused(connection, job_id, others) if others else others


def _must_hold(connection: Connection, worker_id: str, job_id: str, stage: Stage, attempt: int) -> None:
    if not tasks.holds(connection, worker_id, job_id, stage, 0, attempt):
        raise LeaseLost(f"attempt {attempt} of job {job_id}'s {stage} is no longer yours")


def _with_key(file: ResultFile, key: str) -> ResultFile:
    return file if file.key else file.model_copy(update={"key": key})


def _files(stored: list[list[str | int]]) -> tuple[ResultFile, ...]:
    return tuple(
        ResultFile(name=str(name), size=int(size), key=str(key), offset=int(offset))
        for name, size, key, offset in stored
    )
