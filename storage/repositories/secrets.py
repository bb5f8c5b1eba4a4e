"""Users' secrets: saved sealed, listed without their secret key, opened for the work of their owner alone."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from sqlalchemy import Connection, RowMapping, delete, func, select, tuple_, update
from sqlalchemy.sql.expression import ColumnElement

from gridloom.errors import BadInput
from storage.tables import accounts, secrets
from storage.upsert import insert_into
from storage.vault import Binding, Envelope, Sealed, Vault

TYPES = {"aws": "aws", "s3": "aws", "gcp": "gcp", "storj": "storj", "other": "other"}
"""Each spelling of a secret's type, with the one that it is kept under."""

_KEY = (secrets.c.owner_id, secrets.c.secret_type, secrets.c.id)


@dataclass(frozen=True, slots=True, kw_only=True)
class SecretRow:
    """A stored secret; `given_type` is its type as its owner wrote it, `expires_at` None is never."""

    owner_id: str
    secret_type: str
    id: str
    given_type: str
    name: str
    access_key: str
    params: Mapping[str, str]
    version: int
    sealed: Sealed = field(repr=False)
    expires_at: datetime | None
    created_at: datetime
    updated_at: datetime

    @property
    def binding(self) -> Binding:
        """What the sealed key belongs to."""
        return (self.owner_id, self.secret_type, self.id, self.version)

    def check_alive(self) -> None:
        """Raise BadInput when the secret has expired."""
        if self.expires_at is not None and self.expires_at <= datetime.now(UTC):
            raise BadInput(f"secret {self.id!a} expired on {self.expires_at:%Y-%m-%d %H:%M} UTC")


@dataclass(frozen=True, slots=True, kw_only=True)
class NewSecret:
    """What a user saves; `given_type` must be one of `TYPES`."""

    owner_id: str
    id: str
    given_type: str
    secret_key: str = field(repr=False)
    name: str = ""
    access_key: str = ""
    params: Mapping[str, str] = field(default_factory=dict)
    expires_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """An opened secret."""

    id: str
    secret_type: str
    access_key: str
    secret_key: str = field(repr=False)
    params: Mapping[str, str]


def save(connection: Connection, vault: Vault, new: NewSecret, most: int) -> None:
    """Insert a secret, or replace the owner's one of the same type and id; an account may keep `most`.

    Raises:
        BadInput: when the account keeps that many already.
        VaultLocked: when there is no master key.
    """
    # The account's lock makes the next version and the count certain.
    connection.execute(select(accounts.c.id).where(accounts.c.id == new.owner_id).with_for_update())
    now, secret_type = datetime.now(UTC), TYPES[new.given_type]
    old = connection.execute(
        select(secrets.c.version).where(*_is(new.owner_id, secret_type, new.id))
    ).scalar_one_or_none()
    if old is None and _count(connection, new.owner_id) >= most:
        raise BadInput(f"you keep {most} secrets, which is the most; delete one first", field="secret")
    version = (old or 0) + 1
    sealed = vault.seal(new.secret_key, (new.owner_id, secret_type, new.id, version))
    content = {
        "given_type": new.given_type,
        "name": new.name,
        "access_key": new.access_key,
        "params": dict(new.params),
        "expires_at": new.expires_at,
        "updated_at": now,
        "version": version,
        "sealed": sealed.envelope,
        "master_id": sealed.master_id,
    }
    identity = {"owner_id": new.owner_id, "secret_type": secret_type, "id": new.id}
    connection.execute(
        insert_into(connection, secrets)
        .values(**identity, **content, created_at=now)
        .on_conflict_do_update(index_elements=list(identity), set_=content)
    )


def listed(connection: Connection, owner_id: str, secret_type: str = "") -> list[SecretRow]:
    """Return an account's secrets by id, or those of a type, which must be one of `TYPES`."""
    query = select(secrets).where(secrets.c.owner_id == owner_id)
    if secret_type:
        query = query.where(secrets.c.secret_type == TYPES[secret_type])
    found = connection.execute(query.order_by(secrets.c.id, secrets.c.secret_type)).mappings()
    return [_row(row) for row in found]


def remove(connection: Connection, owner_id: str, secret_type: str, secret_id: str) -> bool:
    """Delete a secret; False when the account has no such one."""
    found = TYPES.get(secret_type, "")
    return bool(connection.execute(delete(secrets).where(*_is(owner_id, found, secret_id))).rowcount)


def named(connection: Connection, owner_id: str, ids: Collection[str]) -> list[SecretRow]:
    """Return the account's secrets that manifests name so, in the order of `ids`.

    Raises:
        BadInput: when one doesn't exist, has expired, or exists under more than one type.
    """
    found = _of_ids(connection, owner_id, ids)
    return [_only([row for row in found if row.id == wanted], wanted) for wanted in dict.fromkeys(ids)]


def opened(vault: Vault, row: SecretRow) -> Credentials:
    """Return what a secret holds.

    Raises:
        VaultLocked, SealBroken: when it can't be opened.
    """
    return Credentials(
        id=row.id,
        secret_type=row.secret_type,
        access_key=row.access_key,
        secret_key=vault.open(row.sealed, row.binding),
        params=row.params,
    )


def open_credentials(
    connection: Connection, vault: Vault, owner_id: str, secret_id: str, secret_type: str
) -> Credentials:
    """Open the secret that a data source or destination of this type (one of `TYPES`) names.

    Raises:
        BadInput: as `for_bucket`.
        VaultLocked, SealBroken: when it can't be opened.
    """
    return opened(vault, for_bucket(connection, owner_id, secret_id, secret_type))


def for_bucket(connection: Connection, owner_id: str, secret_id: str, secret_type: str) -> SecretRow:
    """Return the secret that a data source or destination of this type (one of `TYPES`) names.

    Raises:
        BadInput: when the account has none of this id and type, or it has expired.
    """
    rows = _of_ids(connection, owner_id, [secret_id])
    row = next((row for row in rows if row.secret_type == TYPES[secret_type]), None)
    if row is None:
        also = f"; the one of that id is of type {rows[0].given_type}" if rows else ""
        raise BadInput(f"there is no secret {secret_id!a} of type {secret_type}{also}", field="secret_id")
    row.check_alive()
    return row


def stale(connection: Connection, master_id: str, after: tuple[str, ...], limit: int) -> list[Envelope]:
    """Return and lock a page of the secrets behind the key `after` that are not under this master key."""
    query = select(secrets).where(secrets.c.master_id != master_id)
    if after:
        query = query.where(tuple_(*_KEY) > tuple_(*after))
    rows = connection.execute(query.order_by(*_KEY).limit(limit).with_for_update()).mappings()
    return [
        Envelope(key=(row.owner_id, row.secret_type, row.id), binding=row.binding, sealed=row.sealed)
        for row in map(_row, rows)
    ]


def reseal(connection: Connection, key: tuple[str, ...], sealed: Sealed) -> None:
    """Replace the envelope of the secret with this key: owner, type and id."""
    owner_id, secret_type, secret_id = key
    connection.execute(
        update(secrets)
        .where(*_is(owner_id, secret_type, secret_id))
        .values(sealed=sealed.envelope, master_id=sealed.master_id)
    )


def _only(rows: list[SecretRow], wanted: str) -> SecretRow:
    if not rows:
        raise BadInput(f"secret {wanted!a} does not exist")
    if len(rows) > 1:
        types = " and ".join(sorted(row.given_type for row in rows))
        raise BadInput(f"secret {wanted!a} is ambiguous: there is one of type {types}")
    rows[0].check_alive()
    return rows[0]


def _of_ids(connection: Connection, owner_id: str, ids: Collection[str]) -> list[SecretRow]:
    query = select(secrets).where(secrets.c.owner_id == owner_id, secrets.c.id.in_(ids))
    return [_row(row) for row in connection.execute(query.order_by(secrets.c.secret_type)).mappings()]


def _is(owner_id: str, secret_type: str, secret_id: str) -> tuple[ColumnElement[bool], ...]:
    return secrets.c.owner_id == owner_id, secrets.c.secret_type == secret_type, secrets.c.id == secret_id


def _count(connection: Connection, owner_id: str) -> int:
    return connection.execute(
        select(func.count()).select_from(secrets).where(secrets.c.owner_id == owner_id)
    ).scalar_one()


def _row(row: RowMapping) -> SecretRow:
    values = dict(row)
    sealed = Sealed(envelope=bytes(values.pop("sealed")), master_id=values.pop("master_id"))
    return SecretRow(**values, sealed=sealed)
