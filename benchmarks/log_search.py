"""1,000,000 log lines of one job: how long the first page of a search takes, beside a bare scan of the same bytes."""

import json
import random
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median
from typing import Any

import httpx
import uvicorn
from fastapi import FastAPI

from api.app import create_app
from api.context import Context
from api.packs import put_logs
from benchmarks.figures import Figure
from gridloom.event_log import configure
from gridloom.ids import new_uuid
from gridloom.log_frames import unpack
from gridloom.logs import LogLine
from gridloom.settings import Settings
from gridloom.states import Stage
from scheduler.log_merge import LogMerger
from storage.folder import FolderStore
from storage.repositories import jobs, logs
from worker.log_segments import pack_lines

TITLE = "1,000,000 log lines of one job, the first page of a search over HTTP"
_GOAL_MS = 300.0
_START = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
_RARE = "Needle in the hay"
_Json = dict[str, Any]


def measure(*, quick: bool) -> list[Figure]:
    """Measure jobs of few long tasks and of many short ones, the latter also before their segments are merged."""
    configure("critical")
    shrink = 20 if quick else 1
    figures: list[Figure] = []
    for tasks, lines in ((100, 10_000 // shrink), (10_000 // shrink, 100)):
        with _fabric() as (client, context, owner_id):
            job_id = _job(context, owner_id)
            pack_s = _fill(context, job_id, tasks, lines)
            name = f"{tasks} tasks x {lines} lines"
            figures.append(Figure(name=f"{name}: pack a line", value=pack_s / tasks / lines * 1e6, unit="us"))
            if lines < logs.RUN:
                figures += _pages(client, context, job_id, f"{name}, not merged", quick=quick)
            merge_s = _timed(lambda: _merge(context))
            if merge_s > 0.1:
                figures.append(Figure(name=f"{name}: merge the segments", value=merge_s, unit="s"))
            figures += _pages(client, context, job_id, name, quick=quick)
    return figures


def _pages(client: httpx.Client, context: Context, job_id: str, name: str, *, quick: bool) -> list[Figure]:
    total = client.post("/v1/customer/logs", json={"jobId": job_id, "limit": 1}).json()["totalLines"]
    middle = _START + timedelta(seconds=total / 2000)
    asked: dict[str, _Json] = {
        "no filter": {},
        "no filter, the last page": {"afterId": str(total - 1000)},
        "the newest": {"order": "desc"},
        "common words": {"search": "LOSS="},
        "common words, 100 lines": {"search": "loss=", "limit": 100},
        "rare words": {"search": _RARE.upper()},
        "absent words": {"search": "no such words"},
        "absent words of common ones": {"search": "step 1 loss=3"},
        "level ERROR": {"levels": ["ERROR"]},
        "levels WARNING and ERROR": {"levels": ["ERROR", "WARNING"]},
        "a second in the middle": {
            "from": middle.isoformat(),
            "to": (middle + timedelta(seconds=1)).isoformat(),
        },
    }
    rounds = 3 if quick else 7
    floor = median(_timed(lambda: _scan(context, job_id)) for _ in range(rounds)) * 1e3
    return [
        _figure(f"{name}: {what}", lambda body=body: _page(client, job_id, body), rounds, floor)  # type: ignore[misc]
        for what, body in asked.items()
    ]


def _figure(name: str, page: Callable[[], _Json], rounds: int, floor: float) -> Figure:
    answer = page()
    lines = sum(len(task["logs"]) for task in answer["taskrunner"].values())
    times = [_timed(page) * 1e3 for _ in range(rounds)]
    return Figure(
        name=name,
        value=median(times),
        unit="ms",
        floor=floor,
        floor_name="bare scan",
        bound="at most",
        goal=_GOAL_MS,
        note=f"{lines} lines, most {max(times):.0f}{'' if answer['complete'] else ', NOT COMPLETE'}",
    )


def _page(client: httpx.Client, job_id: str, body: _Json) -> _Json:
    answer = client.post("/v1/customer/logs", json={"jobId": job_id} | body)
    assert answer.status_code == 200, answer.text
    found: _Json = json.loads(answer.content)
    return found


def _scan(context: Context, job_id: str) -> None:
    """Unpack all lines of the job and look for a text in whatever case, as `zstdcat | grep -i` does."""
    with context.database.read() as connection:
        rows = logs.segments(connection, job_id, logs.Wanted(), start=0, end=1 << 40, limit=1 << 20)
    for row in rows:
        unpack(context.store.get_bytes(row.key, row.offset, row.size)).lower().find(b"no such words")


def _fill(context: Context, job_id: str, tasks: int, lines: int) -> float:
    """Store the lines, one segment a task; return how many seconds packing them took."""
    spent, rows = 0.0, []
    for chunk in range(tasks):
        printed = list(_printed(chunk, lines, last=chunk == tasks - 1))
        began = time.perf_counter()
        packed = pack_lines([(chunk, 1, printed)])
        spent += time.perf_counter() - began
        assert packed is not None
        rows += put_logs(context.store, job_id, packed[:1], memoryview(packed[1]))
    with context.database.write() as connection:
        logs.insert(connection, job_id, Stage.APP, rows)
    return spent


def _printed(chunk: int, lines: int, *, last: bool) -> Iterator[LogLine]:
    dice = random.Random(chunk)
    for number in range(lines):
        ts = _START + timedelta(milliseconds=chunk * lines + number)
        level = "ERROR" if number == 50 and chunk % 10 == 0 else "INFO" if number % 3 else "WARNING"
        word = _RARE if last and number == lines - 1 else f"loss={dice.random():.6f}"
        yield LogLine(
            ts=ts, stream="stdout", text=f"{level} step {number} {word} of item {dice.randrange(10**6)}"
        )


def _merge(context: Context) -> None:
    merger = LogMerger(context.database, context.store, after_s=0)
    while merger.merge_due():
        pass


def _timed(work: Callable[[], Any]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def _job(context: Context, owner_id: str) -> str:
    job_id = new_uuid()
    tags = {"app_tag": "a", "partitioner_tag": "p", "assembler_tag": "z"}
    rest = {"id": job_id, "owner_id": owner_id, "name": "job", "params": {}, "config": {}}
    context.writer.run(lambda connection: jobs.create(connection, tags | rest))
    return job_id


@contextmanager
def _fabric() -> Iterator[tuple[httpx.Client, Context, str]]:
    """Run a control plane in this process, whose store does without the flushes to disk."""
    with tempfile.TemporaryDirectory(prefix="gl-bench-") as name:
        folder = Path(name)
        settings = Settings(
            database_url=f"sqlite:///{folder / 'gridloom.db'}",
            store_url=f"file://{folder / 'objects'}",
            secret_key="s" * 32,
            join_token="j" * 32,
            bootstrap_file=folder / "credentials.json",
        )
        app = create_app(settings)
        with _served(app) as url, httpx.Client(base_url=url, timeout=60) as client:
            key = json.loads((folder / "credentials.json").read_text())["apiKey"]
            token = client.post("/v1/auth/access_token", json={"apiKey": key}).json()["token"]
            client.headers["Authorization"] = token
            context: Context = app.state.context
            object.__setattr__(context, "store", FolderStore(folder / "objects", durable=False))
            yield client, context, app.state.gate.caller(token).account_id


@contextmanager
def _served(app: FastAPI) -> Iterator[str]:
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="warning"))
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    try:
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()
