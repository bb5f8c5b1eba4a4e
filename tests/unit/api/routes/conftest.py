"""Drafts to play with, and a fabric that ends them without workers."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import update

from gridloom.states import JobState
from storage.repositories import assembly
from storage.tables import jobs

SCHEMA = {"type": "object", "properties": {"case": {"enum": ["upper", "lower"]}}, "required": ["case"]}
TEMPLATE = {
    "id": "hello-template",
    "app": "hello",
    "partitioner": "passthrough",
    "assembler": "passthrough",
    "dataSource": {"dataSourceDescriptor": "bypass"},
    "dataDestination": {"dataSourceDescriptor": "bucket"},
    "params": {"app": {"case": "upper", "keep": 1}},
    "config": {"taskTimeout": 3600, "maxTaskRetries": 2},
}
FILE = {"dataSource": {"dataSourceDescriptor": "file", "params": {"@type": "LocalFileDataSource"}}}


@pytest.fixture
def hello(ada, pack) -> Any:
    """Return user ada's client; she has an active app `hello` with a schema, and a template for it."""
    data = pack({"schema.json": SCHEMA}, device_requirements={"min_cpu": 2, "min_memory": 1})
    assert ada.post("/v1/dev/apps", json={"data": data}).status_code == 200
    assert ada.post("/v1/dev/apps/hello/activate").status_code == 200
    assert ada.post("/v1/dev/templates", json=TEMPLATE).status_code == 200
    return ada


@pytest.fixture
def draft(hello) -> Callable[..., dict[str, Any]]:
    """Return a function that makes a draft from the template and returns the job."""

    def make(**members: Any) -> dict[str, Any]:
        answer = hello.post("/v1/customer/jobs", json={"templateId": "hello-template"} | members)
        assert answer.status_code == 200, answer.text
        return answer.json()["job"]

    return make


@pytest.fixture
def finished(hello, draft) -> Callable[..., dict[str, Any]]:
    """Return a function that makes a complete job with these output files, by path."""

    def make(files: dict[str, bytes], *, hours: float = 48, **columns: Any) -> dict[str, Any]:
        job, context = draft(), hello.context
        key = f"jobs/{job['id']}/output/1/all"
        context.store.put_bytes(key, b"".join(files.values()))
        rows, offset = [], 0
        for path, data in files.items():
            rows.append({"path": path, "size": len(data), "key": key, "offset": offset})
            offset += len(data)
        values = {
            "state": JobState.COMPLETE,
            "output_epoch": 1,
            "output_expires_at": datetime.now(UTC) + timedelta(hours=hours),
        } | columns

        def end(connection: Any) -> None:
            assembly.add_outputs(connection, job["id"], 1, rows)
            connection.execute(update(jobs).where(jobs.c.id == job["id"]).values(**values))

        context.writer.run(end)
        return job

    return make


def path_of(link: str) -> str:
    """Return a link's path at the test server."""
    base = "http://fabric.test"
    assert link.startswith(f"{base}/")
    return link.removeprefix(base)
