"""Where a job's log lines lie: segments of stored objects, in the order of their arrival."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, and_, false, or_, select
from sqlalchemy import insert as insert_into

from gridloom.states import Stage
from storage.columns import db_now
from storage.tables import log_segments


def segments(
    connection: Connection,
    job_id: str,
    *,
    wanted: Mapping[Stage, Collection[int] | None],
    from_id: int,
    limit: int,
) -> list[Row[Any]]:
    """Return segments from id `from_id` on, the oldest first, that may hold lines of the wanted chunks (None: all)."""
    statement = (
        select(log_segments)
        .where(
            log_segments.c.job_id == job_id,
            log_segments.c.id >= from_id,
            or_(false(), *(_may_hold(stage, chunks) for stage, chunks in wanted.items())),
        )
        .order_by(log_segments.c.id)
        .limit(limit)
    )
    return list(connection.execute(statement))


def _may_hold(stage: Stage, chunks: Collection[int] | None) -> ColumnElement[bool]:
    of_stage = log_segments.c.stage == stage
    if chunks is None:
        return of_stage
    return and_(of_stage, log_segments.c.first_chunk <= max(chunks), log_segments.c.last_chunk >= min(chunks))


def insert(connection: Connection, job_id: str, stage: Stage, rows: Sequence[dict[str, Any]]) -> None:
    """Add segments (first_chunk, last_chunk, lines, key, offset, size) to a job's log."""
    if not rows:
        return
    moment = connection.execute(select(db_now())).scalar_one()
    fixed = {"job_id": job_id, "stage": stage, "created_at": moment}
    connection.execute(insert_into(log_segments), [fixed | row for row in rows])
