"""/v1/admin/rotate_key: secrets are sealed again under the newest master key."""

import structlog
from fastapi import APIRouter

from api.context import Context
from api.deps import AdminDep, ContextDep
from api.json_route import JsonRoute
from api.shapes.secrets import RotatedKind, RotateKeyResponse
from storage.repositories.rewrapping import KINDS, Key, Kind, Page, rewrap

log = structlog.get_logger()
router = APIRouter(route_class=JsonRoute, tags=["Admin"])

_ROWS = 100


@router.post("/rotate_key")
def rotate_key(context: ContextDep, caller: AdminDep) -> RotateKeyResponse:
    """Seal all that lies under older master keys under the newest, while everything goes on; may be repeated.

    Older keys are needed until nothing is left to seal again and nothing is unreadable.
    """
    master_id = context.vault.newest().id
    kinds = {kind.name: _rotated(context, kind) for kind in KINDS}
    counts = {name: it.rewrapped for name, it in kinds.items()}
    log.info("master_key_rotated", master=master_id, by=caller.account_id, **counts)
    return RotateKeyResponse(master_id=master_id, kinds=kinds)


def _rotated(context: Context, kind: Kind) -> RotatedKind:
    rewrapped = unreadable = 0
    after: Key | None = ()
    while after is not None:
        page = _page(context, kind, after)
        rewrapped, unreadable, after = rewrapped + page.rewrapped, unreadable + page.unreadable, page.last
    return RotatedKind(rewrapped=rewrapped, unreadable=unreadable)


def _page(context: Context, kind: Kind, after: Key) -> Page:
    return context.writer.run(lambda connection: rewrap(connection, context.vault, kind, after, _ROWS))
