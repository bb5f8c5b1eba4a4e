"""/api_keys: issue, list, revoke."""

from fastapi import APIRouter

from api import key_issue
from api.context import Context
from api.deps import CallerDep, ContextDep, GateDep, RequestIdDep
from api.json_route import JsonRoute
from api.shapes.auth import ApiKeyListResponse, CreateApiKeyRequest, CreateApiKeyResponse
from api.shapes.base import GenericResponse
from gridloom.errors import BadInput, NotFound, Unauthorized
from storage.repositories import accounts, api_keys

router = APIRouter(route_class=JsonRoute, tags=["API Keys"])


@router.get("/api_keys")
def get_api_keys(context: ContextDep, caller: CallerDep) -> ApiKeyListResponse:
    """List the caller's API keys, revoked ones too."""
    with context.database.read() as connection:
        rows = api_keys.listed(connection, caller.account_id)
    return ApiKeyListResponse(api_keys=[key_issue.shown(row) for row in rows])


@router.post("/api_keys")
def create_api_key(context: ContextDep, caller: CallerDep, body: CreateApiKeyRequest) -> CreateApiKeyResponse:
    """Issue an API key; accounts with an e-mail confirm it by a code of POST /otp, purpose `api_key`."""
    expires_at = key_issue.end_of(body.duration, body.expires_at)
    _confirm(context, caller.account_id, body.otp)
    key, metadata = key_issue.issue(context, caller.account_id, body.name, expires_at)
    return CreateApiKeyResponse(api_key=key, key=metadata)


@router.post("/api_keys/{id}/revoke")
def revoke_api_key(
    context: ContextDep,
    caller: CallerDep,
    gate: GateDep,
    request_id: RequestIdDep,
    id: str,  # noqa: A002 - the published name
) -> GenericResponse:
    """Revoke an API key: it can't be exchanged any more, and its access tokens end."""
    if not context.writer.run(lambda connection: api_keys.revoke(connection, caller.account_id, id)):
        raise NotFound(f"you have no API key {id}")
    gate.forget()
    return GenericResponse(request_id=request_id, message=f"API key {id} is revoked")


def _confirm(context: Context, account_id: str, code: str) -> None:
    with context.database.read() as connection:
        account = accounts.by_id(connection, account_id)
    if account is None:
        raise Unauthorized("the account is gone")
    if account.email is None or not context.codes.mailer.works:
        return
    if not code or not context.codes.take(account.email, "api_key", code):
        raise BadInput(
            "give the code that POST /otp with purpose api_key sends; this one is wrong or no longer good",
            field="otp",
        )
    context.writer.run(lambda it: accounts.prove_email(it, account_id, keep_credentials=True))
