"""/jobs/estimation and the older address of the balance."""

from fastapi import APIRouter

from api import funds
from api.deps import CallerDep, ContextDep
from api.job_plans import resolve_blocks, tags_of
from api.json_route import JsonRoute
from api.shapes.wallet import Estimation, EstimationResponse, OldBalance
from gridloom import money
from storage.repositories import job_costs, jobs, wallet

router = APIRouter(route_class=JsonRoute, tags=["Jobs"])


@router.get("/jobs/estimation/{job_id}", deprecated=True)
def get_estimation(job_id: str, context: ContextDep, caller: CallerDep) -> EstimationResponse:
    """Read what a job is likely to cost; of an ended one what it cost."""
    with context.database.read() as connection:
        job = jobs.get(connection, caller.account_id, job_id)
        needs = job_costs.app_needs(connection, job.id)
        if needs is None:
            app = resolve_blocks(connection, caller.account_id, tags_of(job)).app
            needs = app.manifest.needs()
        likely = funds.estimate(connection, job, needs, context.settings)
    return EstimationResponse(
        estimation=Estimation(
            total_estimation=-(-likely.amount // money.UNIT),
            num_units_estimation=likely.tasks,
            amount=money.to_number(likely.amount),
        )
    )


@router.get("/wallet/balance", deprecated=True)
def get_old_balance(context: ContextDep, caller: CallerDep) -> OldBalance:
    """Read what the caller has, as text."""
    with context.database.read() as connection:
        has = wallet.funds(connection, caller.account_id)
    return OldBalance(
        account_id=caller.account_id,
        total_balance=money.to_text(has.total),
        available_balance=money.to_text(has.available),
    )
