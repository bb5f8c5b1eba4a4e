"""What assembly reads and writes: a job's results in chunk order, and its outputs."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, TypeVar

from sqlalchemy import Connection, delete, insert, select, update

from gridloom.states import Stage, TaskState
from storage.columns import AnyRow
from storage.tables import jobs, outputs, tasks

FILES_MAX = 20_000  #: a page ends with the task that brings it to so many files
_BATCH = 5_000

T = TypeVar("T")


def results_page(
    connection: Connection, job_id: str, first_chunk: int, limit: int
) -> tuple[list[AnyRow], int | None]:
    """Return (chunk, results) of completed app tasks from `first_chunk` on, in chunk order, and the chunk at which
    the next page begins, None at the end. A page has at most `limit` tasks, and about `FILES_MAX` files."""
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
    page: list[AnyRow] = []
    files = 0
    for row in found:
        page.append(row)
        files += len(row.results or ())
        if files >= FILES_MAX:
            break
    found.close()
    whole = len(page) < limit and files < FILES_MAX
    return page, None if whole else page[-1].chunk + 1


def taken_paths(connection: Connection, job_id: str, epoch: int, paths: Iterable[str]) -> set[str]:
    """Return those of the paths that this epoch's output already has."""
    taken: set[str] = set()
    for some in _batches(list(paths)):
        found = connection.execute(
            select(outputs.c.path).where(
                outputs.c.job_id == job_id, outputs.c.epoch == epoch, outputs.c.path.in_(some)
            )
        )
        taken.update(row.path for row in found)
    return taken


def add_outputs(connection: Connection, job_id: str, epoch: int, rows: Sequence[dict[str, Any]]) -> None:
    """Insert outputs (path, size, key, offset), or replace them where a page is sent twice."""
    for some in _batches(rows):
        paths = [row["path"] for row in some]
        connection.execute(
            delete(outputs).where(
                outputs.c.job_id == job_id, outputs.c.epoch == epoch, outputs.c.path.in_(paths)
            )
        )
        connection.execute(insert(outputs), [row | {"job_id": job_id, "epoch": epoch} for row in some])


def forget_outputs(connection: Connection, job_id: str) -> None:
    """Delete what was listed so far."""
    connection.execute(delete(outputs).where(outputs.c.job_id == job_id))


def move_cursor(connection: Connection, job_id: str, origin: int, target: int) -> bool:
    """Note up to which chunk results are listed as output; False when somebody else did."""
    done = connection.execute(
        update(jobs).where(jobs.c.id == job_id, jobs.c.output_cursor == origin).values(output_cursor=target)
    )
    return done.rowcount == 1


def _batches(items: Sequence[T]) -> Iterator[Sequence[T]]:
    # A statement takes tens of thousands of parameters and no more.
    for start in range(0, len(items), _BATCH):
        yield items[start : start + _BATCH]
