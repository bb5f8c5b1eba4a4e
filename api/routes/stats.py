"""/stats and /metrics: how many jobs and tasks, in which states, and what they cost."""

from fastapi import APIRouter

from api.deps import CallerDep, ContextDep
from api.json_route import JsonRoute
from api.shapes.stats import StatsResponse
from gridloom import money
from gridloom.states import JOB_LIVE, JobState
from storage.repositories import job_lists

router = APIRouter(route_class=JsonRoute, tags=["Stats"])


@router.get("/metrics")
@router.get("/stats", deprecated=True)
def get_stats(context: ContextDep, caller: CallerDep) -> StatsResponse:
    """Count the caller's jobs by state, their tasks, and what they cost; deleted jobs don't count."""
    with context.database.read() as connection:
        states = job_lists.sums_by_state(connection, caller.account_id)
    jobs = {state: sums.jobs for state, sums in states.items()}
    return StatsResponse(
        total_jobs=sum(jobs.values()),
        running_jobs=sum(jobs.get(state, 0) for state in JOB_LIVE),
        completed_jobs=jobs.get(JobState.COMPLETE, 0),
        failed_jobs=jobs.get(JobState.FAILED, 0),
        total_tasks=sum(it.tasks for it in states.values()),
        total_spent=money.to_number(sum(it.price for it in states.values())),
        jobs_by_state={state.value: jobs.get(state, 0) for state in JobState},
    )
