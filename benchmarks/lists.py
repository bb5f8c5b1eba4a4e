"""Pages of an account's 100,000 jobs: each order and filter, the first page and the last, as the API answers them.

GRIDLOOM_POSTGRES_URL names an empty PostgreSQL database to measure beside SQLite.
"""

import asyncio
import json
import os
import random
import statistics
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
from sqlalchemy import insert, text

from api.app import create_app
from benchmarks.figures import Figure
from gridloom.ids import new_uuid
from gridloom.settings import Settings
from storage.db import Database
from storage.repositories import accounts
from storage.tables import jobs

TITLE = "Lists of jobs, in one control plane without a network"
_JOBS, _ROUNDS, _ROWS = 100_000, 7, 100
_OF_OTHERS = 5  # for every so many jobs of the account there is one of another
_BATCH = 5_000
_START = datetime(2026, 1, 1, tzinfo=UTC)
_STATES = ("NEW",) * 5 + ("COMPLETE",) * 80 + ("FAILED",) * 10 + ("ABORTED",) * 4 + ("PARTITIONED",)
_ORDERS = ("createdAt", "submittedAt", "startedAt", "endedAt", "name", "state", "numChunks")


@dataclass(frozen=True, slots=True, kw_only=True)
class _List:
    """One list to ask for; without filters by GET."""

    name: str
    order: str = ""
    filters: list[dict[str, Any]] = field(default_factory=list)
    goal: float | None = 50


def measure(*, quick: bool) -> list[Figure]:
    """Fill a database of each kind and ask for pages."""
    number, figures = 10_000 if quick else _JOBS, []
    with tempfile.TemporaryDirectory(prefix="gl-bench-") as name:
        urls = {"SQLite": f"sqlite:///{name}/gridloom.db"}
        if postgres := os.environ.get("GRIDLOOM_POSTGRES_URL"):
            urls["PostgreSQL"] = postgres
        for kind, url in urls.items():
            figures += asyncio.run(_measured(kind, url, Path(name) / kind, number, 3 if quick else _ROUNDS))
    return figures


async def _measured(kind: str, url: str, folder: Path, number: int, rounds: int) -> list[Figure]:
    keys = folder / "credentials.json"
    settings = Settings(
        database_url=url,
        store_url=f"file://{folder / 'objects'}",
        secret_key="s" * 32,
        join_token="j" * 32,
        bootstrap_file=keys,
    )
    app = create_app(settings)
    async with app.router.lifespan_context(app):
        _fill(app.state.context.database, number)
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://fabric") as http:
            api_key = json.loads(keys.read_text())["apiKey"]
            answer = await http.post("/v1/auth/access_token", json={"apiKey": api_key})
            http.headers["Authorization"] = answer.json()["token"]
            return [figure for it in _lists() for figure in await _figures(http, kind, it, rounds)]


async def _figures(http: httpx.AsyncClient, kind: str, wanted: _List, rounds: int) -> list[Figure]:
    first_ms, first_cpu_ms, total = await _timed(http, wanted, 0, rounds)
    last_ms, last_cpu_ms, _ = await _timed(http, wanted, max(0, total - _ROWS), rounds)
    return [
        Figure(
            name=f"{kind}: {wanted.name}, {page} page",
            value=value,
            unit="ms",
            goal=wanted.goal,
            note=f"{cpu:.0f} ms of this process; {total:,} match",
        )
        for page, value, cpu in (("first", first_ms, first_cpu_ms), ("last", last_ms, last_cpu_ms))
    ]


async def _timed(
    http: httpx.AsyncClient, wanted: _List, offset: int, rounds: int
) -> tuple[float, float, int]:
    """Return the medians of the milliseconds that a page takes, by the clock and of this process, and all rows' number.

    One round before warms up.
    """
    pagination = {"limit": _ROWS, "offset": offset}
    times: list[float] = []
    cpu: list[float] = []
    for _ in range(rounds + 1):
        started, busy = time.perf_counter(), time.process_time()
        if wanted.filters:
            body = {"pagination": pagination, "filters": wanted.filters, "orderBy": wanted.order}
            answer = await http.post("/v1/customer/jobs/filter", json=body)
        else:
            query = {f"pagination.{name}": value for name, value in pagination.items()}
            answer = await http.get("/v1/customer/jobs", params=query | {"orderBy": wanted.order})
        times.append((time.perf_counter() - started) * 1e3)
        cpu.append((time.process_time() - busy) * 1e3)
        total = answer.raise_for_status().json()["pagination"]["total"]
    return statistics.median(times[1:]), statistics.median(cpu[1:]), total


def _lists() -> Iterator[_List]:
    for order in _ORDERS:
        for direction in ("desc", "asc"):
            yield _List(name=f"by {order} {direction}", order=f"{order} {direction}")
    filters = {
        "state is COMPLETE": _filter("state", "EQ", "JOB_STATE_COMPLETE"),
        "state is one of two": _filter("state", "IN", ["JOB_STATE_FAILED", "JOB_STATE_ABORTED"]),
        "state is not NEW": _filter("state", "NEQ", "JOB_STATE_NEW"),
        "name holds a word of half of them": _like("name", "night"),
        "name holds digits of a few": _like("name", "1234"),
        "one template": _filter("templateId", "EQ", "template-3"),
        "made in a week": _filter("createdAt", "GTE", (_START + timedelta(days=1)).isoformat()),
        "not yet ended": _filter("endedAt", "EQ", None),
    }
    for name, it in filters.items():
        yield _List(name=name, filters=[it])
    yield _List(name="one template, by endedAt", order="endedAt", filters=[filters["one template"]])
    yield _List(name="a few by name, by name", order="name", filters=[filters["name holds digits of a few"]])
    # All that match have to be sorted; nothing but an index for each such pair would help.
    yield _List(
        name="state is not NEW, by name", order="name", filters=[filters["state is not NEW"]], goal=None
    )
    yield _List(name="a member of params", filters=[_filter("params.app.n", "GT", 5)], goal=None)


def _filter(name: str, condition: str, value: Any) -> dict[str, Any]:
    return {"field": name, "condition": f"FILTER_CONDITION_{condition}", "value": value}


def _like(name: str, value: str) -> dict[str, Any]:
    return _filter(name, "LIKE", value)


def _fill(database: Database, number: int) -> None:
    chance = random.Random(1)
    with database.write() as connection:
        mine = connection.execute(text("SELECT id FROM accounts WHERE user_name = 'admin'")).scalar_one()
        other = accounts.create_account(connection, "other")
        for start in range(0, number, _BATCH):
            places = range(start, min(start + _BATCH, number))
            rows = [_row(chance, mine, place) for place in places]
            rows += [_row(chance, other, place) for place in places if place % _OF_OTHERS == 0]
            connection.execute(insert(jobs), rows)
    _settle(database)


def _settle(database: Database) -> None:
    """Do what PostgreSQL does by itself within a minute."""
    if not database.is_sqlite:
        with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(text("VACUUM ANALYZE jobs"))


def _row(chance: random.Random, owner_id: str, place: int) -> dict[str, Any]:
    state, made_at = chance.choice(_STATES), _START + timedelta(seconds=7 * place)
    run_at = None if state == "NEW" else made_at + timedelta(seconds=5)
    over = run_at is not None and state != "PARTITIONED"
    info = {"id": f"template-{place % 20}", "owner": "admin", "description": "", "app": "hello"}
    return {
        "id": new_uuid(),
        "owner_id": owner_id,
        "name": f"Job {chance.randrange(10**6)} of the {chance.choice(('night', 'day'))}",
        "template_id": info["id"],
        "template_info": info | {"partitioner": "passthrough", "assembler": "zipper"},
        "app_tag": "hello",
        "partitioner_tag": "passthrough",
        "assembler_tag": "zipper",
        "params": {"app": {"case": "upper", "n": place % 10, "words": "x" * 300}},
        "data_source": {"dataSourceDescriptor": "bypass", "params": {}},
        "data_destination": {"dataSourceDescriptor": "bucket", "params": {}},
        "config": {"task_timeout_s": 60},
        "plan": {"stages": "y" * 1500},
        "state": f"JOB_STATE_{state}",
        "state_times": {"JOB_STATE_NEW": made_at.isoformat()},
        "created_at": made_at,
        "submitted_at": run_at,
        "started_at": run_at,
        "ended_at": run_at + timedelta(seconds=chance.randrange(5000)) if run_at and over else None,
        "chunks": chance.randrange(500),
    }
