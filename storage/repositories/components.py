"""Apps, partitioners and assemblers; a name leads to the caller's own record, then a built-in, then a public one."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import BigInteger, Connection, RowMapping, Select, and_, case, cast, func, or_, select, update
from sqlalchemy.sql.expression import ColumnElement

from gridloom.manifests import Kind, Manifest
from gridloom.tags import Tag
from storage.repositories import stale_blobs
from storage.spans import Span, fetch_span
from storage.tables import accounts, components
from storage.upsert import insert_into

APPS: tuple[Kind, ...] = ("app",)
ENGINES: tuple[Kind, ...] = ("partitioner", "assembler")
ANY: tuple[Kind, ...] = (*APPS, *ENGINES)
BUILT_IN_USER = "gridloom"  #: shown as the owner's name of built-in engines

_LIVE = components.c.deleted_at.is_(None)

ORDERS: dict[str, ColumnElement[Any]] = {
    "created_at": components.c.created_at,
    "updated_at": components.c.updated_at,
    "name": components.c.name,
    "version": cast(components.c.major, BigInteger) * 1_000_000_000 + components.c.minor,
    "revision": components.c.revision,
    "status": components.c.active,
    "type": components.c.kind,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ComponentRow:
    """A stored component; `owner_id` is None for built-in ones."""

    id: str
    owner_id: str | None
    user_name: str
    kind: Kind
    name: str
    major: int
    minor: int
    active: bool
    is_public: bool
    passthrough: bool
    revision: int
    manifest: Manifest
    schema: dict[str, Any] | None
    archive_key: str
    digest: str
    created_at: datetime
    updated_at: datetime
    # With the manifest's registry token, which `manifest` leaves out.
    sealed_token: bytes | None = field(default=None, repr=False)
    token_master_id: str | None = None

    @property
    def version(self) -> str:
        """The version as text."""
        return f"{self.major}.{self.minor}"


@dataclass(frozen=True, slots=True, kw_only=True)
class NewComponent:
    """What an upload brings; `digest` is the archive's SHA-256 in base64."""

    owner_id: str | None
    manifest: Manifest
    schema: dict[str, Any] | None
    digest: str
    archive_key: str = ""
    active: bool = False
    is_public: bool = False
    passthrough: bool = False


def save(connection: Connection, component_id: str, new: NewComponent) -> None:
    """Insert a component under this id, or overwrite the one of the same owner, kind, name and version.

    An overwritten one keeps its id, its creation time and whether it is active and public; its revision grows, and its
    old archive is noted as stale. The registry's token is left out: `registry_tokens.keep` seals it.
    """
    now, manifest = datetime.now(UTC), new.manifest
    content = {
        "manifest": manifest.model_dump(mode="json", exclude={"platform_config": {"token"}}),
        "sealed_token": None,
        "token_master_id": None,
        "schema": new.schema,
        "archive_key": new.archive_key,
        "digest": new.digest,
        "passthrough": new.passthrough,
        "updated_at": now,
        "revision": components.c.revision + 1,
    }
    identity = {
        "owner_id": new.owner_id,
        "kind": manifest.type,
        "name": manifest.name,
        "major": manifest.major,
        "minor": manifest.minor,
    }
    same = [components.c[name].is_not_distinct_from(value) for name, value in identity.items()]
    same.append(_LIVE)
    fresh = {
        "id": component_id,
        "active": new.active,
        "is_public": new.is_public,
        "created_at": now,
        "revision": 1,
    }
    insert = insert_into(connection, components).values(identity | content | fresh)
    insert = insert.on_conflict_do_nothing(index_elements=list(identity), index_where=_LIVE)
    added = insert.returning(components.c.id)  # an INSERT's rowcount is not to be had from every driver
    # Another upload of the same version may come between; a built-in has no owner, so it never conflicts here.
    while not _overwrite(connection, same, content) and not connection.execute(added).first():
        pass


def find(
    connection: Connection, owner_id: str | None, kind: Kind, name: str, version: tuple[int, int]
) -> ComponentRow | None:
    """Return the record that an upload of this owner, kind, name and version would overwrite."""
    major, minor = version
    return _first(
        connection,
        _ROWS.where(
            components.c.owner_id.is_not_distinct_from(owner_id),
            components.c.kind == kind,
            components.c.name == name,
            components.c.major == major,
            components.c.minor == minor,
        ),
    )


def resolve(
    connection: Connection, tag: Tag, kinds: Collection[Kind], account_id: str, *, only_active: bool
) -> ComponentRow | None:
    """Return the component that a tag names for this account, or None.

    An app goes before an engine of the same name; then the caller's own, built-in, public ones of others; then the
    highest version.
    """
    query = _visible(account_id).where(components.c.kind.in_(kinds), _named(tag))
    if only_active:
        query = query.where(components.c.active)
    return _best(connection, query, account_id)


def published(
    connection: Connection, tag: Tag, kinds: Collection[Kind], account_id: str
) -> ComponentRow | None:
    """Return the public component that a tag names, or None; active or not, built-in ones first.

    The account's own ones count only where the tag says whose it means.
    """
    query = _ROWS.where(components.c.is_public, components.c.kind.in_(kinds), _named(tag))
    if not (tag.user or tag.id):
        query = query.where(components.c.owner_id.is_distinct_from(account_id))
    return _best(connection, query, account_id)


def listed(
    connection: Connection, account_id: str, kinds: Collection[Kind], *, public: bool, span: Span
) -> tuple[list[ComponentRow], int]:
    """Return a page of the account's components, or of every public one, and how many there are in all.

    Raises:
        BadInput: when they can't be ordered by that name.
    """
    whose = components.c.is_public if public else components.c.owner_id == account_id
    query = _ROWS.where(whose, components.c.kind.in_(kinds))
    rows, total = fetch_span(connection, query, span, ORDERS, components.c.id)
    return [_row(row) for row in rows], total


def count(connection: Connection, owner_id: str) -> int:
    """Return how many components an account keeps."""
    query = select(func.count()).select_from(components).where(components.c.owner_id == owner_id, _LIVE)
    return connection.execute(query).scalar_one()


def set_active(connection: Connection, component_id: str, *, active: bool) -> None:
    """Let jobs use a component, or stop them from it."""
    _change(connection, component_id, active=active)


def set_public(connection: Connection, component_id: str, *, public: bool) -> None:
    """Let everybody see and use a component, or its owner alone."""
    _change(connection, component_id, is_public=public)


def remove(connection: Connection, component_id: str) -> None:
    """Take a component away; its row stays, and its bytes for as long as jobs that were planned with it run."""
    stale_blobs.drop(connection, _change(connection, component_id, deleted_at=datetime.now(UTC)))


def _change(connection: Connection, component_id: str, **values: Any) -> Sequence[str]:
    one = update(components).where(components.c.id == component_id, _LIVE)
    changed = one.values(updated_at=datetime.now(UTC), **values).returning(components.c.archive_key)
    return connection.execute(changed).scalars().all()


def _overwrite(
    connection: Connection, same: Sequence[ColumnElement[bool]], content: Mapping[str, Any]
) -> bool:
    old = connection.execute(
        select(components.c.id, components.c.archive_key).where(*same).with_for_update()
    ).first()
    if old is None:
        return False
    connection.execute(update(components).where(components.c.id == old.id).values(content))
    if old.archive_key != content["archive_key"]:
        stale_blobs.drop(connection, [old.archive_key])
    return True


_ROWS = (
    select(*(column for column in components.c if column.name != "deleted_at"), accounts.c.user_name)
    .join_from(components, accounts, isouter=True)
    .where(_LIVE)
)


def _visible(account_id: str) -> Select[Any]:
    return _ROWS.where(
        or_(components.c.owner_id == account_id, components.c.owner_id.is_(None), components.c.is_public)
    )


def _named(tag: Tag) -> ColumnElement[bool]:
    if tag.id:
        return components.c.id == tag.id
    conditions = [components.c.name == tag.name]
    if tag.major is not None:
        conditions.append(components.c.major == tag.major)
    if tag.minor is not None:
        conditions.append(components.c.minor == tag.minor)
    if tag.user:
        conditions.append(func.coalesce(accounts.c.user_name, BUILT_IN_USER) == tag.user)
    return and_(*conditions)


def _best(connection: Connection, query: Select[Any], account_id: str) -> ComponentRow | None:
    rank = case((components.c.owner_id == account_id, 0), (components.c.owner_id.is_(None), 1), else_=2)
    return _first(
        connection,
        query.order_by(
            case((components.c.kind == "app", 0), else_=1),
            rank,
            components.c.major.desc(),
            components.c.minor.desc(),
            components.c.kind.desc(),
            components.c.created_at,
            components.c.id,
        ),
    )


def _first(connection: Connection, query: Select[Any]) -> ComponentRow | None:
    row = connection.execute(query.limit(1)).mappings().first()
    return _row(row) if row else None


def _row(row: RowMapping) -> ComponentRow:
    values = {**row, "manifest": Manifest.model_validate(row["manifest"])}
    return ComponentRow(**values | {"user_name": row["user_name"] or BUILT_IN_USER})
