"""/secrets: save, list, delete; the secret key goes in and never comes out."""

from typing import Annotated

from fastapi import APIRouter, Query

from api.deps import CallerDep, ContextDep, RequestIdDep
from api.json_route import JsonRoute
from api.shapes.base import GenericResponse
from api.shapes.secrets import SaveSecretRequest, Secret, SecretListResponse
from gridloom.errors import BadInput, NotFound
from storage.repositories import secrets
from storage.repositories.secrets import NewSecret, SecretRow

router = APIRouter(route_class=JsonRoute, tags=["Secrets"])


@router.post("/secrets")
def save_secret(
    body: SaveSecretRequest, context: ContextDep, caller: CallerDep, request_id: RequestIdDep
) -> GenericResponse:
    """Save a secret, or replace the caller's one of the same type and id; its key can't be read again."""
    given = body.secret
    new = NewSecret(
        owner_id=caller.account_id,
        id=given.id,
        given_type=_type_of(given.secret_type),
        secret_key=body.secret_key,
        name=given.name,
        access_key=given.access_key,
        params=given.params,
        expires_at=given.expires_at,
    )
    most = context.settings.max_secrets
    context.writer.run(lambda connection: secrets.save(connection, context.vault, new, most))
    return GenericResponse(request_id=request_id, message=f"secret {new.id} is saved")


@router.get("/secrets")
def list_secrets(
    context: ContextDep, caller: CallerDep, secret_type: Annotated[str, Query(alias="secretType")] = ""
) -> SecretListResponse:
    """List the caller's secrets, or those of a type; aws and s3 are the same."""
    wanted = _type_of(secret_type) if secret_type else ""
    with context.database.read() as connection:
        rows = secrets.listed(connection, caller.account_id, wanted)
    return SecretListResponse(secrets=[_shown(row) for row in rows])


@router.delete("/secrets/{secretType}/{id:path}")
def delete_secret(
    secretType: str,  # noqa: N803 - the published name
    id: str,  # noqa: A002 - the published name
    context: ContextDep,
    caller: CallerDep,
    request_id: RequestIdDep,
) -> GenericResponse:
    """Delete a secret; tasks that run already keep it to their end."""
    if not id.isprintable():  # PostgreSQL would not even take the question
        raise NotFound(f"you have no secret {id!a} of type {secretType}")
    wanted = secretType.lower()
    if not context.writer.run(lambda connection: secrets.remove(connection, caller.account_id, wanted, id)):
        raise NotFound(f"you have no secret {id} of type {secretType}")
    return GenericResponse(request_id=request_id, message=f"secret {id} is deleted")


def _type_of(text: str) -> str:
    if text.lower() not in secrets.TYPES:
        raise BadInput(f"secretType {text!a} is unknown; use {', '.join(secrets.TYPES)}", field="secretType")
    return text.lower()


def _shown(row: SecretRow) -> Secret:
    return Secret(
        id=row.id,
        secret_type=row.given_type,
        expires_at=row.expires_at,
        access_key=row.access_key,
        params=dict(row.params),
        name=row.name,
    )
