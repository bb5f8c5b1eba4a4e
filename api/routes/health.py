"""/healthz and /readyz: does the process run, and can it do its work."""

from contextlib import suppress

from fastapi import APIRouter
from sqlalchemy import text

from api.deps import ContextDep, RequestIdDep
from api.shapes.base import GenericResponse
from gridloom.errors import BlobMissing
from storage.blobs import READY_KEY

router = APIRouter()


@router.get("/healthz")
async def healthz(request_id: RequestIdDep) -> GenericResponse:
    """Answer while the process runs."""
    return GenericResponse(request_id=request_id, message="running")


@router.get("/readyz")
def readyz(context: ContextDep, request_id: RequestIdDep) -> GenericResponse:
    """Answer 200 when database and object store do, 503 otherwise."""
    with context.database.read() as connection:
        connection.execute(text("SELECT 1"))
    with suppress(BlobMissing):
        context.store.info(READY_KEY)
    return GenericResponse(request_id=request_id, message="ready")
