"""Pages of an owner's jobs: in any order offered, filtered by what is offered, as fast with 100,000 jobs as with ten."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import Column, Connection, Row, Select, func, select
from sqlalchemy.sql.expression import ColumnElement

from gridloom.errors import BadInput
from gridloom.inline_credentials import NAMES
from gridloom.states import JobState
from storage.filters import Filter, FilterField, Kind, apply
from storage.json_members import member_number, member_text, member_truth
from storage.repositories.jobs import SHOWN
from storage.spans import Span
from storage.tables import jobs

ORDERS: dict[str, Column[Any]] = {
    "created_at": jobs.c.created_at,
    "submitted_at": jobs.c.submitted_at,
    "started_at": jobs.c.started_at,
    "ended_at": jobs.c.ended_at,
    "completed_at": jobs.c.ended_at,
    "name": jobs.c.name,
    "state": jobs.c.state,
    "num_chunks": jobs.c.chunks,
}
_ONE_CHIP = 10**8
_PRIORITIES = {
    "EXECUTION_PRIORITY_LOW": -1,
    "EXECUTION_PRIORITY_UNDEFINED": 0,
    "EXECUTION_PRIORITY_NORMAL": 0,
    "EXECUTION_PRIORITY_HIGH": 1,
}


def _setting(name: str) -> FilterField:
    return FilterField(column=func.coalesce(member_number(jobs.c.config, [name]), 0), kind=Kind.NUMBER)


def _descriptor(column: ColumnElement[Any]) -> FilterField:
    return FilterField(column=member_text(column, ["dataSourceDescriptor"]))


FIELDS: dict[str, FilterField] = {
    "id": FilterField(column=jobs.c.id),
    "name": FilterField(column=jobs.c.name),
    "description": FilterField(column=jobs.c.description),
    "state": FilterField(
        column=jobs.c.state, kind=Kind.CHOICE, choices={it.value: it.value for it in JobState}
    ),
    "template_id": FilterField(column=jobs.c.template_id),
    "app": FilterField(column=jobs.c.app_tag),
    "partitioner": FilterField(column=jobs.c.partitioner_tag),
    "assembler": FilterField(column=jobs.c.assembler_tag),
    "app_id": FilterField(
        column=func.coalesce(member_text(jobs.c.template_info, ["app_id"]), jobs.c.app_tag)
    ),
    "priority": FilterField(column=jobs.c.priority, kind=Kind.CHOICE, choices=_PRIORITIES),
    "created_at": FilterField(column=jobs.c.created_at, kind=Kind.TIME),
    "start_at": FilterField(column=jobs.c.start_at, kind=Kind.TIME),
    "submitted_at": FilterField(column=jobs.c.submitted_at, kind=Kind.TIME),
    "started_at": FilterField(column=jobs.c.started_at, kind=Kind.TIME),
    "ended_at": FilterField(column=jobs.c.ended_at, kind=Kind.TIME),
    "completed_at": FilterField(column=jobs.c.ended_at, kind=Kind.TIME),
    "num_chunks": FilterField(column=jobs.c.chunks, kind=Kind.NUMBER),
    "payment_amount": FilterField(column=jobs.c.price, kind=Kind.NUMBER, scale=_ONE_CHIP),
    "error_message": FilterField(column=jobs.c.error_message),
    "config.task_timeout": _setting("task_timeout_s"),
    "config.job_timeout": _setting("job_timeout_s"),
    "config.max_task_retries": _setting("max_task_retries"),
    "config.is_test_job": FilterField(
        column=func.coalesce(member_truth(jobs.c.config, ["is_test_job"]), False), kind=Kind.TRUTH
    ),
    "config.reuse": FilterField(
        column=func.coalesce(member_truth(jobs.c.config, ["reuse"]), False), kind=Kind.TRUTH
    ),
    "data_source.data_source_descriptor": _descriptor(jobs.c.data_source),
    "data_destination.data_source_descriptor": _descriptor(jobs.c.data_destination),
    "params": FilterField(column=jobs.c.params, kind=Kind.JSON),
    "data_source": FilterField(column=jobs.c.data_source, kind=Kind.JSON, hidden=NAMES),
    "data_destination": FilterField(column=jobs.c.data_destination, kind=Kind.JSON, hidden=NAMES),
    "template_info": FilterField(column=jobs.c.template_info, kind=Kind.JSON),
    "regions": FilterField(column=jobs.c.regions, kind=Kind.JSON),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class JobPage:
    """Rows of jobs without their plans, and how many match in all."""

    rows: list[Row[Any]]
    total: int


def page(connection: Connection, owner_id: str, span: Span, filters: Sequence[Filter] = ()) -> JobPage:
    """Return one page of an owner's jobs; what has no time yet comes last in either direction.

    Raises:
        BadInput: when the order or a filter is none of those offered.
    """
    name = span.order_by or "created_at"
    if name not in ORDERS:
        raise BadInput(f"can't order by {name}; use {', '.join(ORDERS)}", field="orderBy")
    # SQLite would look up every row for a filter on the way along the order's own index.
    index = "created_at" if filters else ORDERS[name].name
    mine = (
        apply(select(jobs.c.id), filters, FIELDS)
        .where(jobs.c.owner_id == owner_id, jobs.c.deleted_at.is_(None))
        .with_hint(jobs, f"INDEXED BY ix_jobs_by_{index}", "sqlite")
    )
    keys = list(dict.fromkeys((ORDERS[name], jobs.c.created_at, jobs.c.id)))
    # Ids first: rows are wide, and all but one page of them would be read for nothing.
    ids = _first(connection, mine, keys, span) if not span.offset else []
    total = len(ids) if not span.offset and len(ids) < span.limit else _count(connection, mine)
    if 0 < span.offset < total:
        ids = _later(connection, mine, keys, span, total)
    rows = {row.id: row for row in connection.execute(select(*SHOWN).where(jobs.c.id.in_(ids)))}
    return JobPage(rows=[rows[job_id] for job_id in ids if job_id in rows], total=total)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sums:
    """What the jobs in one state sum up to; `price` in 1e-8 chips."""

    jobs: int
    tasks: int
    price: int


def sums_by_state(connection: Connection, owner_id: str) -> dict[str, Sums]:
    """Return the sums over an owner's jobs by state, states without any left out."""
    price, chunks = func.coalesce(func.sum(jobs.c.price), 0), func.coalesce(func.sum(jobs.c.chunks), 0)
    found = connection.execute(
        select(jobs.c.state, func.count().label("jobs"), chunks.label("tasks"), price.label("price"))
        .where(jobs.c.owner_id == owner_id, jobs.c.deleted_at.is_(None))
        .group_by(jobs.c.state)
    )
    return {row.state: Sums(jobs=row.jobs, tasks=int(row.tasks), price=int(row.price)) for row in found}


def _first(connection: Connection, mine: Select[Any], keys: Sequence[Column[Any]], span: Span) -> list[str]:
    """Return the ids of the first page without counting anything."""
    if not keys[0].nullable:
        return _ids(connection, mine, keys, span)
    ids = _ids(connection, mine.where(keys[0].is_not(None)), keys, span)
    if len(ids) == span.limit:
        return ids
    rest = replace(span, limit=span.limit - len(ids))
    return ids + _ids(connection, mine.where(keys[0].is_(None)), keys[1:], rest)


def _later(
    connection: Connection, mine: Select[Any], keys: Sequence[Column[Any]], span: Span, total: int
) -> list[str]:
    """Return the ids of a page further on, of `total` rows."""
    if not keys[0].nullable:
        return _from_nearer_end(connection, mine, keys, span, total)
    # Two reads instead of NULLS LAST, which one index can't serve in both directions on both databases.
    missing = mine.where(keys[0].is_(None))
    known, ids = total - _count(connection, missing), []
    if span.offset < known:
        ids = _from_nearer_end(connection, mine.where(keys[0].is_not(None)), keys, span, known)
    if len(ids) == span.limit:
        return ids
    rest = replace(span, limit=span.limit - len(ids), offset=max(0, span.offset - known))
    return ids + _from_nearer_end(connection, missing, keys[1:], rest, total - known)


def _from_nearer_end(
    connection: Connection, mine: Select[Any], keys: Sequence[Column[Any]], span: Span, number: int
) -> list[str]:
    limit = max(0, min(span.limit, number - span.offset))
    behind = number - span.offset - limit
    if behind >= span.offset:
        return _ids(connection, mine, keys, span)
    turned = replace(span, limit=limit, offset=behind, descending=not span.descending)
    return _ids(connection, mine, keys, turned)[::-1]


def _ids(connection: Connection, mine: Select[Any], keys: Sequence[Column[Any]], span: Span) -> list[str]:
    ordered = mine.order_by(*(key.desc() if span.descending else key.asc() for key in keys))
    return list(connection.execute(ordered.limit(span.limit).offset(span.offset)).scalars())


def _count(connection: Connection, mine: Select[Any]) -> int:
    return connection.execute(mine.with_only_columns(func.count())).scalar_one()
