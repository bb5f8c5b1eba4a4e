"""What completed tasks cost: their run time at the rate of what they were really given."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from sqlalchemy import Connection

from gridloom.devices import Needs
from gridloom.rates import RateCard, price_of
from gridloom.wire import AttemptResult
from storage.columns import AnyRow
from storage.repositories import workers


def of_results(
    connection: Connection,
    app_needs: Mapping[str, Any],
    rows: Mapping[int, AnyRow],
    done: Sequence[AttemptResult],
    card: RateCard,
) -> dict[int, int]:
    """Return the price of each completed app task by its chunk; all were run by one worker.

    One that took an earlier result costs nothing. `app_needs` are those of the job's plan, `rows` the tasks as `tasks.locked` returns them.
    """
    machine = workers.capacity(connection, rows[done[0].chunk].worker_id)
    hourly = card.hourly(Needs.model_validate(app_needs), machine)
    return {it.chunk: 0 if reused(it) else price_of(_ran(it, rows[it.chunk]), hourly) for it in done}


def reused(result: AttemptResult) -> bool:
    """Tell whether an attempt ran nothing, since it took an earlier result."""
    return result.reuse is not None and result.reuse.hit


def _ran(result: AttemptResult, row: AnyRow) -> timedelta:
    """Return how long an attempt ran by its worker's clock, but never longer than it was leased."""
    if result.started_at is None:
        return timedelta(0)
    leased: timedelta = row.read_at - row.received_at
    return min(result.ended_at - result.started_at, leased)
