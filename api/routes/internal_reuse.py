"""The workers' API: earlier results that stand for those of tasks which a worker is about to run."""

from fastapi import APIRouter

from api.deps import ContextDep
from api.worker_gate import WorkerDep
from gridloom.wire_reuse import ReuseReply, ReuseRequest
from scheduler import reuse

router = APIRouter(prefix="/internal/v1", include_in_schema=False)


@router.post("/reuse")
def earlier_results(request: ReuseRequest, context: ContextDep, worker_id: WorkerDep) -> ReuseReply:
    """Return what is found for those of the tasks that the worker holds, hit or not."""
    with context.database.read() as connection:
        return reuse.find(connection, worker_id, request)
