"""/metrics: figures for Prometheus, of this process and of every live worker."""

from ipaddress import ip_address

from fastapi import APIRouter, Request, Response
from prometheus_client import CONTENT_TYPE_LATEST

from api.deps import ContextDep
from api.metric_pages import metrics_page
from api.tokens import TokenGate
from storage.repositories import jobs, worker_metrics

router = APIRouter(include_in_schema=False)

# Any of these says that somebody else stands behind a client that looks like this machine.
_ON_BEHALF = ("forwarded", "x-forwarded-for", "x-real-ip", "origin")


@router.get("/metrics")
def metrics(request: Request, context: ContextDep) -> Response:
    """Answer this machine's own clients, and others with an access token."""
    if not _is_from_here(request):
        gate: TokenGate = request.app.state.gate
        gate.caller(request.headers.get("authorization", ""))
    with context.database.read() as connection:
        by_state = jobs.by_state(connection)
        texts = worker_metrics.of_live(connection, context.settings.lease_s)
    page = metrics_page(by_state, [(row.name, row.text) for row in texts])
    return Response(page, media_type=CONTENT_TYPE_LATEST)


def _is_from_here(request: Request) -> bool:
    if request.client is None or any(name in request.headers for name in _ON_BEHALF):
        return False
    try:
        return ip_address(request.client.host).is_loopback
    except ValueError:
        return False
