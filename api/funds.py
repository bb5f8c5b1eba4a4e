"""What a job is likely to cost, and whether its owner has that much."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import Connection, Row

from gridloom import money
from gridloom.devices import Needs
from gridloom.rates import price_of, rate_card
from gridloom.settings import Settings
from gridloom.states import JOB_FINAL
from storage.repositories import job_costs, wallet

_UNKNOWN_RUN_S = 600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """What a job is likely to cost, for so many tasks."""

    amount: int
    tasks: int


def estimate(connection: Connection, job: Row[Any], needs: Needs, settings: Settings) -> Estimate:
    """Return what a job costs: an ended one what it did, another its number of tasks times the price of one.

    The tasks are those that its partitioner has made, else the mean, rounded up, of the owner's completed jobs of
    the same app and template, else app and partitioner, else app, else 1. A task costs the mean over all completed
    tasks of those jobs of the same app; when there are none, 10 minutes (or the task timeout, if that is less) at the
    rate of the app's needs.
    """
    if job.state in JOB_FINAL:
        return Estimate(amount=job.price, tasks=job.completed)
    history = [it for it in job_costs.completed(connection, job.owner_id) if _app(it) == _app(job)]
    tasks = job.total or _mean_tasks(job, history)
    done = sum(it.completed for it in history)
    if done:
        return Estimate(amount=money.divided(sum(it.price for it in history) * tasks, done), tasks=tasks)
    run_s = min(job.config.get("task_timeout_s") or _UNKNOWN_RUN_S, _UNKNOWN_RUN_S)
    hourly = rate_card(settings.gpu_rates).hourly(needs)
    return Estimate(amount=price_of(timedelta(seconds=run_s), hourly) * tasks, tasks=tasks)


def reserve(connection: Connection, job: Row[Any], needs: Needs, settings: Settings) -> None:
    """Set aside what a job that is about to start may cost, where credits count.

    Raises:
        BadInput: when its owner has too little; `field` is `balance`.
    """
    if settings.credits == "enforce":
        likely = estimate(connection, job, needs, settings)
        wallet.reserve(connection, job.owner_id, job.id, likely.amount)


def _mean_tasks(job: Row[Any], history: Sequence[Row[Any]]) -> int:
    like_it = (
        [it for it in history if job.template_id and it.template_id == job.template_id]
        or [it for it in history if _name(it.partitioner_tag) == _name(job.partitioner_tag)]
        or history
    )
    totals = [it.total for it in like_it if it.total]
    return -(-sum(totals) // len(totals)) if totals else 1


def _app(job: Row[Any]) -> str:
    info: Mapping[str, str] = job.template_info or {}
    return _name(info.get("app_id") or job.app_tag)


def _name(tag: str) -> str:
    return tag.partition("@")[0]
