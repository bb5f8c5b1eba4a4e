"""Opens the buckets that a job's ends are in: their secrets are checked at the run, and opened when a worker claims."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from sqlalchemy import Connection

from api.job_ends import Columns
from gridloom.buckets import BucketPlace
from gridloom.errors import BadInput
from gridloom.net_guard import PrivateHosts
from storage.bucket_params import BucketParams, parse_bucket_params
from storage.descriptors import S3_KINDS, Descriptor
from storage.repositories import secrets
from storage.repositories.inline_credentials import End
from storage.vault import Vault

FIELDS: dict[End, str] = {"data_source": "dataSource", "data_destination": "dataDestination"}
"""What the published contract calls each end."""


def is_bucket(descriptor: str) -> bool:
    """Return whether an end of this kind is in a bucket that speaks the S3 protocol."""
    return descriptor in S3_KINDS


def check_secret(connection: Connection, owner_id: str, end: End, stored: Columns | None) -> None:
    """Check that the secret which an end names is there, of the right type, and has not expired.

    Raises:
        BadInput: naming the field.
    """
    descriptor = stored["dataSourceDescriptor"] if stored else ""
    if not stored or not is_bucket(descriptor):
        return
    secret_id = stored["params"].get("secret_id") or stored["params"].get("secretId")
    if secret_id:
        try:
            secrets.for_bucket(connection, owner_id, secret_id, descriptor)
        except BadInput as error:
            raise _named(FIELDS[end], error) from None


def open_params(
    connection: Connection,
    vault: Vault,
    owner_id: str,
    *,
    end: End,
    descriptor: str,
    params: Mapping[str, Any],
    allow: PrivateHosts,
) -> BucketParams:
    """Return what an S3 kind's params say, with the keys of the secret that they name, or else those in them.

    Raises:
        BadInput: naming the field that can't be right, or the secret's.
        VaultLocked, SealBroken: when the secret can't be opened.
    """
    field = FIELDS[end]
    parsed = parse_bucket_params(Descriptor(descriptor), params, field, allow)
    if parsed.secret_id:
        try:
            keys = secrets.open_credentials(connection, vault, owner_id, parsed.secret_id, descriptor)
            return replace(parsed, place=_opened(parsed.place, keys))
        except BadInput as error:
            raise _named(field, error) from None
    if bool(parsed.place.access_key) != bool(parsed.place.secret_key):
        missing = "secretKey" if parsed.place.access_key else "accessKey"
        place = f"{field}.params.{missing}"
        raise BadInput(f"{place} is missing", field=place)
    return parsed


def _opened(place: BucketPlace, keys: secrets.Credentials) -> BucketPlace:
    if not keys.access_key:
        raise BadInput(f"secret {keys.id!a} has no access key")
    token = keys.params.get("sessionToken") or keys.params.get("session_token") or ""
    return place.model_copy(
        update={"access_key": keys.access_key, "secret_key": keys.secret_key, "session_token": token}
    )


def _named(field: str, error: BadInput) -> BadInput:
    place = f"{field}.params.secret_id"
    return BadInput(f"{place}: {error.message}", field=place)
