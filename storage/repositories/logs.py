"""Where a job's log lines lie: segments of stored objects, in the order of their arrival.

Every line has a place: how many lines of its job came before it. Places are given under the job's lock, so whoever
sees a segment sees all that come before it, also where several control planes commit at once; and they outlast the
merging of segments. That is why a place is all that a reader who goes on has to know.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, delete, false, func, or_, select, update
from sqlalchemy import insert as insert_into

from gridloom.states import Stage
from storage.columns import AnyRow, db_after, db_now
from storage.repositories import job_states
from storage.tables import jobs, log_segments

RUN = 128  #: so many segments in a row are merged when they are small
_RECENT = 2 * RUN  #: among so many is looked for one that comes again

_at = log_segments.c
_READ = (
    _at.stage,
    _at.first_chunk,
    _at.last_chunk,
    _at.first_line,
    _at.lines,
    _at.levels,
    _at.first_at,
    _at.last_at,
    _at.key,
    _at.offset,
    _at.size,
    _at.texts_size,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which segments may hold wanted lines: by stage and chunks (None: all), level bits (0: all), microseconds."""

    chunks: Mapping[Stage, Collection[int] | None] = field(default_factory=lambda: dict.fromkeys(Stage))
    levels: int = 0
    from_at: int | None = None
    to_at: int | None = None


def total_lines(connection: Connection, job_id: str) -> int:
    """Return how many lines a job has."""
    last = _last(connection, job_id)
    return last.first_line + last.lines if last is not None else 0


def segments(
    connection: Connection,
    job_id: str,
    wanted: Wanted,
    *,
    start: int,
    end: int,
    newest_first: bool = False,
    limit: int,
) -> list[AnyRow]:
    """Return segments that may hold wanted lines at the places from `start` to before `end`."""
    around = select(func.max(_at.first_line)).where(_at.job_id == job_id, _at.first_line <= start)
    statement = (
        select(*_READ)
        .where(
            _at.job_id == job_id,
            _at.first_line >= func.coalesce(around.scalar_subquery(), 0),
            _at.first_line < end,
            or_(false(), *(_may_hold(stage, chunks) for stage, chunks in wanted.chunks.items())),
        )
        .order_by(_at.first_line.desc() if newest_first else _at.first_line)
        .limit(limit)
    )
    if wanted.levels:
        statement = statement.where(_at.levels.bitwise_and(wanted.levels) != 0)
    if wanted.from_at is not None:
        statement = statement.where(_at.last_at >= wanted.from_at)
    if wanted.to_at is not None:
        statement = statement.where(_at.first_at < wanted.to_at)
    return list(connection.execute(statement))


def insert(connection: Connection, job_id: str, stage: Stage, rows: Sequence[dict[str, Any]]) -> None:
    """Add segments (members of `gridloom.wire.LogSegment`, and their key) to a job's log.

    A worker that got no answer sends them again: those whose key came lately are left out.
    """
    if not rows:
        return
    job_states.lock(connection, [job_id])
    known = _recent_keys(connection, job_id, {row["key"] for row in rows})
    last = _last(connection, job_id)
    number, line = (last.number + 1, last.first_line + last.lines) if last is not None else (0, 0)
    fixed = {
        "job_id": job_id,
        "stage": stage,
        "created_at": connection.execute(select(db_now())).scalar_one(),
    }
    placed = []
    for row in rows:
        if row["key"] in known:
            continue
        ends_run = number % RUN == RUN - 1
        placed.append(fixed | row | {"number": number, "first_line": line, "ends_run": ends_run})
        number, line = number + 1, line + row["lines"]
    if placed:
        connection.execute(insert_into(log_segments), placed)


def kept(connection: Connection, job_id: str) -> bool:
    """Tell whether a job still keeps its log."""
    found = connection.execute(select(jobs.c.id).where(jobs.c.id == job_id, jobs.c.deleted_at.is_(None)))
    return found.first() is not None


def runs(connection: Connection, after_s: float, limit: int) -> list[AnyRow]:
    """Return the last segments (job_id, number) of runs so old that are to be merged, the oldest first."""
    settled = _at.created_at <= db_after(-after_s)
    statement = select(_at.job_id, _at.number).where(_at.ends_run, settled).order_by(_at.id).limit(limit)
    return list(connection.execute(statement))


def run_of(connection: Connection, last: AnyRow) -> list[AnyRow]:
    """Return the segments of the run that ends with `last`, the oldest first."""
    statement = (
        select(log_segments)
        .where(_at.job_id == last.job_id, _at.number.between(last.number - RUN + 1, last.number))
        .order_by(_at.first_line)
    )
    return list(connection.execute(statement))


def end_run(connection: Connection, last: AnyRow) -> None:
    """Note that a run was looked at."""
    connection.execute(
        update(log_segments)
        .where(_at.job_id == last.job_id, _at.number == last.number)
        .values(ends_run=False)
    )


def replace(connection: Connection, parts: Sequence[AnyRow], values: Mapping[str, Any]) -> bool:
    """Put one segment in the place of neighbours; False, and nothing done, when they are no longer all there.

    `values` are key, size and texts_size of the merged bytes.
    """
    ids = [part.id for part in parts]
    first, last = parts[0], parts[-1]
    job_states.lock(connection, [first.job_id])
    there = connection.execute(select(_at.id).where(_at.id.in_(ids), _at.key.in_({it.key for it in parts})))
    if len(there.all()) != len(parts):
        return False
    connection.execute(delete(log_segments).where(_at.id.in_(ids[1:])))
    levels = 0
    for part in parts:
        levels |= part.levels
    connection.execute(
        update(log_segments)
        .where(_at.id == first.id)
        .values(
            number=last.number,
            first_chunk=min(part.first_chunk for part in parts),
            last_chunk=max(part.last_chunk for part in parts),
            lines=sum(part.lines for part in parts),
            levels=levels,
            first_at=min(part.first_at for part in parts),
            last_at=max(part.last_at for part in parts),
            offset=0,
            ends_run=False,
            **values,
        )
    )
    return True


def unused(connection: Connection, job_id: str, keys: Collection[str]) -> set[str]:
    """Return those keys that no segment of the job names."""
    used = connection.execute(select(_at.key).where(_at.job_id == job_id, _at.key.in_(keys)).distinct())
    return set(keys) - set(used.scalars())


def forget(connection: Connection, job_id: str) -> None:
    """Remove a job's segments, whose bytes are gone."""
    connection.execute(delete(log_segments).where(_at.job_id == job_id))


def _recent_keys(connection: Connection, job_id: str, keys: Collection[str]) -> set[str]:
    recent = (
        select(_at.key).where(_at.job_id == job_id).order_by(_at.first_line.desc()).limit(_RECENT).subquery()
    )
    return set(connection.execute(select(recent.c.key).where(recent.c.key.in_(keys))).scalars())


def _last(connection: Connection, job_id: str) -> AnyRow | None:
    statement = (
        select(_at.number, _at.first_line, _at.lines)
        .where(_at.job_id == job_id)
        .order_by(_at.first_line.desc())
        .limit(1)
    )
    return connection.execute(statement).first()


def _may_hold(stage: Stage, chunks: Collection[int] | None) -> ColumnElement[bool]:
    of_stage = _at.stage == stage
    if chunks is None:
        return of_stage
    return and_(of_stage, _at.first_chunk <= max(chunks), _at.last_chunk >= min(chunks))
