"""What assembly reads and writes: a job's results in chunk order, and its outputs."""

from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import Connection, delete, insert, select, update

from gridloom.states import Stage, TaskState
from storage.columns import AnyRow
from storage.tables import jobs, outputs, tasks


def results_page(connection: Connection, job_id: str, first_chunk: int, limit: int) -> list[AnyRow]:
    """Return (chunk, results) of completed app tasks from `first_chunk` on, in chunk order."""
    found = connection.execute(
        select(tasks.c.chunk, tasks.c.results)
        .where(
            tasks.c.job_id == job_id,
            tasks.c.stage == Stage.APP,
            tasks.c.state == TaskState.COMPLETED,
            tasks.c.chunk >= first_chunk,
        )
        .order_by(tasks.c.chunk)
        .limit(limit)
    )
    return list(found.all())


def taken_paths(connection: Connection, job_id: str, epoch: int, paths: Iterable[str]) -> set[str]:
    """Return those of the paths that this epoch's output already has."""
    found = connection.execute(
        select(outputs.c.path).where(
            outputs.c.job_id == job_id, outputs.c.epoch == epoch, outputs.c.path.in_(list(paths))
        )
    )
    return {row.path for row in found}


def add_outputs(connection: Connection, job_id: str, epoch: int, rows: Sequence[dict[str, Any]]) -> None:
    """Insert outputs (path, size, key, offset), or replace them where a page is sent twice."""
    if not rows:
        return
    paths = [row["path"] for row in rows]
    connection.execute(
        delete(outputs).where(outputs.c.job_id == job_id, outputs.c.epoch == epoch, outputs.c.path.in_(paths))
    )
    connection.execute(insert(outputs), [row | {"job_id": job_id, "epoch": epoch} for row in rows])


def move_cursor(connection: Connection, job_id: str, origin: int, target: int) -> bool:
    """Note up to which chunk results are listed as output; False when somebody else did."""
    done = connection.execute(
        update(jobs).where(jobs.c.id == job_id, jobs.c.output_cursor == origin).values(output_cursor=target)
    )
    return done.rowcount == 1
