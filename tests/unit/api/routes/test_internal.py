"""The workers' API: who is late is told so, and what counts is in the database."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import update
from structlog.testing import capture_logs

from api.routes import internal
from gridloom import frames
from gridloom.devices import Capacity
from gridloom.ids import new_uuid
from gridloom.states import EndReason, JobState, Stage, TaskState
from gridloom.wire import (
    AttemptResult,
    ChunksRequest,
    ClaimReply,
    ClaimRequest,
    CommitRequest,
    HeartbeatRequest,
    Hold,
    LogsRequest,
    NewChunk,
    OutputFile,
    OutputsPage,
    OutputsRequest,
    PinReply,
    PinRequest,
    RegisterRequest,
    ReleaseRequest,
    ResultFile,
    StageRequest,
    WarmReply,
    WarmRequest,
)
from scheduler.strays import STRAY_S
from storage.columns import db_now
from storage.repositories import assembly, logs, worker_metrics
from storage.tables import jobs
from tests.fixtures.fabric import Fabric, component, plan_of, stage_of
from tests.fixtures.log_lines import SEGMENT

URL = "/internal/v1"


class Worker:
    """Speaks as a registered worker."""

    def __init__(self, client, name="w"):
        self._client, self.name = client, name
        request = RegisterRequest(
            name=name,
            incarnation=new_uuid(),
            version="0",
            host="h",
            runner="mock",
            isolation="none",
            slots=2,
            capacity=Capacity(cores=2, memory_mib=2048),
        )
        answer = self.send("register", request, token="j" * 32).json()
        self.id, self.token, self.lease_s = answer["worker_id"], answer["token"], answer["lease_s"]

    def send(self, path, message, tail=None, token=None):
        body = frames.pack(message, tail) if tail is not None else message.model_dump_json().encode()
        headers = {"Authorization": f"Bearer {token or self.token}"}
        if tail is None:
            headers["Content-Type"] = "application/json"
        return self._client.post(f"{URL}/{path}", content=body, headers=headers)

    def claim(self, job_id, stage, *chunks):
        answer = self.send("claim", ClaimRequest(job_id=job_id, stage=stage, chunks=chunks))
        assert answer.status_code == 200
        return frames.unpack(ClaimReply, answer.content)

    def commit(self, job_id, stage, *results, logs=(), tail=b""):
        return self.send(
            "commit", CommitRequest(job_id=job_id, stage=stage, results=results, logs=logs), tail
        )

    def chunks(self, job_id, attempt, *contents):
        found, tail = [], b""
        for index, content in enumerate(contents):
            found.append(NewChunk(index=index, size=len(content), sha256=content.hex(), offset=len(tail)))
            tail += content
        return self.send("chunks", ChunksRequest(job_id=job_id, attempt=attempt, chunks=tuple(found)), tail)

    def heartbeat(self, *holds):
        answer = self.send("heartbeat", HeartbeatRequest(holds=holds, free=Capacity(cores=1, memory_mib=1)))
        assert answer.status_code == 200
        return [Hold.model_validate(it) for it in answer.json()["lost"]]


def ended(chunk, attempt, **changes):
    return AttemptResult(chunk=chunk, attempt=attempt, ended_at=datetime.now(UTC), **changes)


@pytest.fixture(autouse=True)
def quiet():
    """There is no broker, and nobody needs to read so; but nothing may fail unforeseen."""
    with capture_logs() as found:
        yield
    assert "request_failed" not in {it["event"] for it in found}


@pytest.fixture
def fabric(anonymous):
    return Fabric(anonymous.context.database)


@pytest.fixture
def worker(anonymous):
    return Worker(anonymous)


@pytest.fixture
def job_id(fabric, worker):
    """Return a job of three chunks, made by `worker` through the API."""
    made = fabric.run(plan_of(max_task_retries=1))
    worker.claim(made, Stage.PARTITION, 0)
    assert worker.chunks(made, 1, b"zero", b"", b"two").status_code == 204
    assert worker.commit(made, Stage.PARTITION, ended(0, 1, total=3)).json() == {"dropped": []}
    return made


def test_only_the_join_token_lets_a_worker_in(anonymous, worker):
    request = RegisterRequest(
        name="x",
        incarnation="i",
        version="0",
        host="h",
        runner="mock",
        isolation="none",
        slots=1,
        capacity=Capacity(cores=1, memory_mib=1),
    )
    for token in ("wrong", worker.token):
        assert worker.send("register", request, token=token).status_code == 401
    assert anonymous.post(f"{URL}/register", json=request.model_dump(mode="json")).status_code == 401


@pytest.mark.parametrize(
    "path",
    ["claim", "heartbeat", "commit", "release", "logs", "chunks", "outputs", "phase", "warm", "pin"],
)
def test_every_call_needs_a_workers_token(anonymous, worker, path):
    request = ClaimRequest(job_id="j", stage=Stage.APP, chunks=())
    for token in ("wrong", "j" * 32):
        assert worker.send(path, request, token=token).status_code == 401
    assert anonymous.post(f"{URL}/{path}", content=b"{}").status_code == 401
    assert anonymous.get(f"{URL}/results?job_id=j&attempt=1").status_code == 401


def test_a_users_token_opens_nothing_here(ada, worker):
    request = ClaimRequest(job_id="j", stage=Stage.APP, chunks=())
    assert worker.send("claim", request, token=ada.headers["Authorization"]).status_code == 401


def test_a_claim_brings_small_chunks_along(worker, job_id):
    reply, tail = worker.claim(job_id, Stage.APP, 2, 0, 1, 7)
    assert [(it.chunk, it.attempt) for it in reply.claimed] == [(0, 1), (1, 1), (2, 1)]
    assert [bytes(tail[it.offset : it.offset + it.size]) for it in reply.claimed] == [b"zero", b"", b"two"]
    assert reply.work.env == {"APP_PARAMS": "{}"}
    assert reply.lease_s == worker.lease_s
    assert len({it.blob for it in reply.claimed}) == 1


def test_a_claim_that_wins_nothing_is_no_error(worker, job_id):
    worker.claim(job_id, Stage.APP, 0)
    reply, tail = worker.claim(job_id, Stage.APP, 0)
    assert (reply.work, reply.claimed, bytes(tail)) == (None, (), b"")
    assert worker.claim(new_uuid(), Stage.APP, 0)[0].claimed == ()


def test_results_of_a_bundle_become_one_object(anonymous, fabric, worker, job_id):
    worker.claim(job_id, Stage.APP, 0, 1)
    results = (
        ended(0, 1, files=(ResultFile(name="a", size=2), ResultFile(name="b", size=1, key="jobs/x/own"))),
        ended(1, 1, files=(ResultFile(name="a", size=3, offset=2),)),
    )
    assert worker.commit(job_id, Stage.APP, *results, tail=b"onetw").json() == {"dropped": []}
    rows = fabric.tasks(job_id)
    (name, size, key, offset), own = rows[0].results
    assert own == ["b", 1, "jobs/x/own", 0]
    assert rows[1].results == [["a", 3, key, 2]]
    assert anonymous.context.store.get_bytes(key, offset, size) == b"on"
    assert (name, rows[0].state) == ("a", TaskState.COMPLETED)


def test_a_late_commit_is_dropped_by_name_and_a_repeated_one_is_not(fabric, worker, job_id):
    worker.claim(job_id, Stage.APP, 0)
    done = ended(0, 1)
    assert worker.commit(job_id, Stage.APP, done, ended(1, 1)).json() == {"dropped": [[1, 1]]}
    assert worker.commit(job_id, Stage.APP, done).json() == {"dropped": []}
    assert worker.commit(job_id, Stage.APP, ended(0, 2)).json() == {"dropped": [[0, 2]]}
    assert fabric.job(job_id).completed == 1


def test_another_workers_lease_is_out_of_reach(anonymous, fabric, worker, job_id):
    worker.claim(job_id, Stage.APP, 0)
    thief = Worker(anonymous, "thief")
    assert thief.commit(job_id, Stage.APP, ended(0, 1)).json() == {"dropped": [[0, 1]]}
    hold = Hold(job_id=job_id, stage=Stage.APP, chunk=0, attempt=1)
    assert thief.heartbeat(hold) == [hold]
    assert thief.send("release", ReleaseRequest(holds=(hold,))).status_code == 204
    assert fabric.states(job_id)[0] == TaskState.RECEIVED


def test_a_heartbeat_renews_starts_and_names_what_is_lost(fabric, worker, job_id):
    worker.claim(job_id, Stage.APP, 0, 1)
    before, now = fabric.task(job_id, 0).lease_until, datetime.now(UTC)
    running = Hold(job_id=job_id, stage=Stage.APP, chunk=0, attempt=1, running_since=now)
    waiting = Hold(job_id=job_id, stage=Stage.APP, chunk=1, attempt=1)
    stale = Hold(job_id=job_id, stage=Stage.APP, chunk=2, attempt=1, running_since=now)
    assert worker.heartbeat(running, waiting, stale) == [stale]
    assert fabric.states(job_id) == [TaskState.RUNNING, TaskState.RECEIVED, TaskState.SCHEDULED]
    assert fabric.task(job_id, 0).lease_until > before
    assert fabric.task(job_id, 0).started_at == now
    assert worker.heartbeat() == []


def test_what_a_worker_was_given_and_does_not_know_of_is_free_again(anonymous, fabric, worker, job_id):
    worker.claim(job_id, Stage.APP, 0, 1)
    lost = datetime.now(UTC) + timedelta(seconds=worker.lease_s - STRAY_S - 1)
    for index in (0, 1):
        fabric.set_task(job_id, index, lease_until=lost)
    known = Hold(job_id=job_id, stage=Stage.APP, chunk=0, attempt=1)
    assert worker.heartbeat(known) == []
    assert fabric.states(job_id) == [TaskState.RECEIVED, TaskState.SCHEDULED, TaskState.SCHEDULED]
    reply, _ = Worker(anonymous, "other").claim(job_id, Stage.APP, 1)
    assert [it.attempt for it in reply.claimed] == [2]


def test_a_workers_metrics_are_kept_unless_they_are_too_long(fabric, worker):
    def say(text):
        beat = HeartbeatRequest(holds=(), free=Capacity(cores=1, memory_mib=1), metrics=text)
        with capture_logs() as logs:
            assert worker.send("heartbeat", beat).status_code == 200
        return [it["event"] for it in logs], [row.text for row in fabric.write(worker_metrics.of_live, 60)]

    assert say("x 1\n") == ([], ["x 1\n"])
    assert say("") == ([], ["x 1\n"])
    for text in ("x" * 300_000, "\0"):
        assert say(text) == (["metrics_dropped"], ["x 1\n"])


def test_workers_ask_what_a_job_will_run_and_agree_on_its_images(fabric, worker):
    image = component().model_copy(update={"image": "python"})
    app = plan_of().app.model_copy(update={"component": image})
    job_id = fabric.run(plan_of(app=app))
    pin = PinRequest(job_id=job_id, image="python", digest="sha256:" + "a" * 64)
    for digest in (pin.digest, "sha256:" + "b" * 64):
        answer = worker.send("pin", pin.model_copy(update={"digest": digest}))
        assert PinReply.model_validate_json(answer.content).digest == pin.digest
    assert worker.send("pin", pin.model_copy(update={"image": "node"})).status_code == 400
    assert worker.send("pin", pin.model_copy(update={"job_id": new_uuid()})).status_code == 404
    reply = WarmReply.model_validate_json(worker.send("warm", WarmRequest(job_id=job_id)).content)
    assert [(it.stage, it.image_pin) for it in reply.stages] == [
        (Stage.PARTITION, ""),
        (Stage.APP, pin.digest),
        (Stage.ASSEMBLE, ""),
    ]
    nothing = worker.send("warm", WarmRequest(job_id="x"))
    assert WarmReply.model_validate_json(nothing.content).stages == ()


def test_released_tasks_wait_for_another(anonymous, fabric, worker, job_id):
    worker.claim(job_id, Stage.APP, 0)
    hold = Hold(job_id=job_id, stage=Stage.APP, chunk=0, attempt=1)
    assert worker.send("release", ReleaseRequest(holds=(hold,))).status_code == 204
    assert fabric.states(job_id)[0] == TaskState.SCHEDULED
    assert worker.commit(job_id, Stage.APP, ended(0, 1)).json() == {"dropped": [[0, 1]]}
    reply, _ = Worker(anonymous, "other").claim(job_id, Stage.APP, 0)
    assert [it.attempt for it in reply.claimed] == [2]


def test_a_restarted_workers_tasks_are_free_at_once(anonymous, fabric, worker, job_id):
    worker.claim(job_id, Stage.APP, 0)
    Worker(anonymous)
    row = fabric.task(job_id)
    assert (row.state, row.reason) == (TaskState.SCHEDULED, EndReason.WORKER_LOST)


def test_chunks_are_stored_together_and_become_tasks(anonymous, fabric, job_id):
    rows = fabric.tasks(job_id)
    assert len({row.chunk_key for row in rows}) == 1
    contents = [
        anonymous.context.store.get_bytes(row.chunk_key, row.chunk_offset, row.chunk_size) for row in rows
    ]
    assert contents == [b"zero", b"", b"two"]
    assert fabric.state(job_id) is JobState.PARTITIONED


def test_whoever_lost_the_partitioner_is_told_409(anonymous, fabric, worker):
    job_id = fabric.run()
    worker.claim(job_id, Stage.PARTITION, 0)
    assert worker.chunks(job_id, 2, b"x").status_code == 409
    request = StageRequest(job_id=job_id, stage=Stage.PARTITION, attempt=2)
    assert worker.send("phase", request).status_code == 409
    good = request.model_copy(update={"attempt": 1})
    assert worker.send("phase", good).status_code == 204
    assert fabric.state(job_id) is JobState.PARTITIONING
    Worker(anonymous)
    assert fabric.tasks(job_id) == []


@pytest.fixture
def assembling(fabric, worker, job_id):
    """Return a job whose assembler `worker` holds under attempt 1."""
    worker.claim(job_id, Stage.APP, 0, 1, 2)
    files = [(ResultFile(name=f"r{it}", size=1, key="k", offset=it),) for it in range(3)]
    worker.commit(job_id, Stage.APP, *(ended(it, 1, files=files[it]) for it in range(3)))
    fabric.progress(job_id)
    assert len(worker.claim(job_id, Stage.ASSEMBLE, 0)[0].claimed) == 1
    return job_id


def results_url(job_id, attempt=1, from_chunk=0):
    return f"{URL}/results?job_id={job_id}&attempt={attempt}&from_chunk={from_chunk}"


def test_the_assembler_reads_results_page_by_page(anonymous, worker, assembling, monkeypatch):
    monkeypatch.setattr(assembly, "FILES_MAX", 2)
    headers = {"Authorization": f"Bearer {worker.token}"}
    first = anonymous.get(results_url(assembling), headers=headers).json()
    assert [(task["chunk"], task["files"][0]["name"]) for task in first["tasks"]] == [(0, "r0"), (1, "r1")]
    second = anonymous.get(results_url(assembling, from_chunk=first["next_chunk"]), headers=headers).json()
    assert [task["chunk"] for task in second["tasks"]] == [2]
    assert second["next_chunk"] is None
    assert anonymous.get(results_url(assembling, attempt=2), headers=headers).status_code == 409


def test_outputs_count_when_their_attempt_commits(fabric, worker, assembling):
    files = (OutputFile(path="a/b", size=1, key="jobs/x/out"),)
    request = OutputsRequest(job_id=assembling, attempt=1, files=files)
    for _ in range(2):
        assert worker.send("outputs", request).status_code == 204
    late = request.model_copy(update={"attempt": 2})
    assert worker.send("outputs", late).status_code == 409
    assert fabric.job(assembling).output_epoch is None
    worker.commit(assembling, Stage.ASSEMBLE, ended(0, 1))
    row = fabric.job(assembling)
    assert (row.state, row.output_epoch) == (JobState.COMPLETE, 1)
    assert fabric.outputs(assembling) == {"a/b": "jobs/x/out"}


def test_output_is_read_page_by_page_by_who_delivers_it(anonymous, fabric, worker, monkeypatch):
    monkeypatch.setattr(internal, "_RESULTS_PAGE", 2)
    to_bucket = {"destination": "s3", "destination_params": {"bucketName": "books"}}
    job_id = fabric.run_chunks(3, plan_of(assembler=stage_of(passthrough=True), **to_bucket))
    fabric.complete(job_id, ["a"], ["b"], ["c"])
    fabric.progress(job_id)
    work = worker.claim(job_id, Stage.DELIVER, 0)[0].work
    assert work.destination.place.bucket == "books"
    assert (work.component.name, work.env, work.source) == ("deliver", {}, None)
    headers = {"Authorization": f"Bearer {worker.token}"}
    paths, after = [], ""
    for more in (True, False):
        asked = {"job_id": job_id, "attempt": "1", "after": after}
        answer = anonymous.get(f"{URL}/outputs", params=asked, headers=headers)
        page = OutputsPage.model_validate_json(answer.content)
        assert page.more is more
        paths += [file.path for file in page.files]
        after = paths[-1]
    assert paths == ["a", "b", "c"]
    late = {"job_id": job_id, "attempt": "2", "after": ""}
    assert anonymous.get(f"{URL}/outputs", params=late, headers=headers).status_code == 409


def segments(context, job_id):
    with context.database.read() as connection:
        return logs.segments(connection, job_id, logs.Wanted(), start=0, end=99, limit=9)


def test_what_was_printed_is_kept_with_the_commit_and_before(anonymous, worker, job_id):
    worker.claim(job_id, Stage.APP, 0)
    live = SEGMENT.model_copy(update={"size": 3})
    request = LogsRequest(job_id=job_id, stage=Stage.APP, logs=(live,))
    assert worker.send("logs", request, b"live").status_code == 204
    last = live.model_copy(update={"id": new_uuid(), "offset": 4, "size": 2})
    files = (ResultFile(name="a", size=2),)
    for _ in range(2):
        worker.commit(job_id, Stage.APP, ended(0, 1, files=files), logs=(live, last), tail=b"liveend")
    found = segments(anonymous.context, job_id)
    store = anonymous.context.store
    kept = [store.get_bytes(it.key, it.offset, it.size + it.texts_size) for it in found]
    assert kept == [b"live", b"end"]
    assert [(it.first_line, it.lines) for it in found] == [(0, 1), (1, 1)]


def test_what_is_no_frame_is_refused(worker, job_id):
    for path in ("commit", "chunks", "logs"):
        request = ClaimRequest(job_id=job_id, stage=Stage.APP, chunks=())
        assert worker.send(path, request).status_code == 400
        assert worker.send(path, request, b"").status_code == 400
    assert worker.send("claim", Hold(job_id="j", stage=Stage.APP, chunk=0, attempt=1)).status_code == 400


def test_a_bundle_has_at_most_64_chunks(worker, job_id):
    request = ClaimRequest.model_construct(job_id=job_id, stage=Stage.APP, chunks=tuple(range(65)))
    assert worker.send("claim", request).status_code == 400


def test_what_others_tasks_printed_is_theirs_to_say(anonymous, worker, job_id):
    worker.claim(job_id, Stage.APP, 0)
    request = LogsRequest(job_id=job_id, stage=Stage.APP, logs=(SEGMENT,))
    thief = Worker(anonymous, "thief")
    assert thief.send("logs", request, b"xx").status_code == 204
    assert thief.commit(job_id, Stage.APP, ended(0, 1), logs=(SEGMENT,), tail=b"xx").status_code == 200
    elsewhere = request.model_copy(update={"job_id": new_uuid()})
    assert worker.send("logs", elsewhere, b"xx").status_code == 204
    assert segments(anonymous.context, job_id) == []


def test_what_a_deleted_jobs_tasks_print_late_is_not_stored(anonymous, worker, job_id):
    worker.claim(job_id, Stage.APP, 0)
    with anonymous.context.database.write() as connection:
        connection.execute(update(jobs).where(jobs.c.id == job_id).values(deleted_at=db_now()))
    request = LogsRequest(job_id=job_id, stage=Stage.APP, logs=(SEGMENT,))
    assert worker.send("logs", request, b"xx").status_code == 204
    assert segments(anonymous.context, job_id) == []
    assert list(anonymous.context.store.list(f"logs/{job_id}")) == []


def test_bytes_of_no_job_are_dropped_or_refused(worker):
    files = (ResultFile(name="a", size=1),)
    dropped = worker.commit(new_uuid(), Stage.APP, ended(0, 1, files=files), tail=b"x")
    assert dropped.json() == {"dropped": [[0, 1]]}
    assert worker.commit("../..", Stage.APP, ended(0, 1, files=files), tail=b"x").status_code == 400
