"""Secrets that older clients write into the params of a job's or template's ends: sealed in rows beside these.

The params that are stored hold none, so no answer, filter, plan or copy of them can show one. Each row opens for its
owner and end alone, at whichever of the owner's jobs and templates.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from sqlalchemy import Connection, delete, literal, select, tuple_, update
from sqlalchemy.sql.expression import ColumnElement

from gridloom.inline_credentials import Found, together
from storage.tables import inline_credentials as table
from storage.upsert import insert_into
from storage.vault import Binding, Envelope, Sealed, Vault

End = Literal["data_source", "data_destination"]
ENDS: tuple[End, ...] = ("data_source", "data_destination")

_KEY = (table.c.owner_id, table.c.holder, table.c.holder_id, table.c.place)


@dataclass(frozen=True, slots=True, kw_only=True)
class Holder:
    """The job or template that secrets were written into."""

    owner_id: str
    kind: Literal["job", "template"]
    id: str


def keep(connection: Connection, vault: Vault, holder: Holder, end: End, found: Found) -> None:
    """Replace the secrets of one end by these; none may be among them.

    Raises:
        VaultLocked: when there is no master key, unless there is nothing to keep.
    """
    if not found:
        connection.execute(delete(table).where(*_of(holder), table.c.place == end))
        return
    sealed = vault.seal(json.dumps(found), _binding(holder.owner_id, end))
    content = {"sealed": sealed.envelope, "master_id": sealed.master_id}
    key = {"owner_id": holder.owner_id, "holder": holder.kind, "holder_id": holder.id, "place": end}
    connection.execute(
        insert_into(connection, table)
        .values(**key, **content)
        .on_conflict_do_update(index_elements=list(key), set_=content)
    )


def whole(
    connection: Connection, vault: Vault, holder: Holder, end: End, params: Mapping[str, Any]
) -> dict[str, Any]:
    """Return an end's params with its secrets, for what fetches or delivers bytes there.

    Raises:
        VaultLocked, SealBroken: when they can't be opened.
    """
    row = connection.execute(
        select(table.c.sealed, table.c.master_id).where(*_of(holder), table.c.place == end)
    ).first()
    if row is None:
        return dict(params)
    sealed = Sealed(envelope=bytes(row.sealed), master_id=row.master_id)
    return together(params, json.loads(vault.open(sealed, _binding(holder.owner_id, end))))


def duplicate(connection: Connection, holder: Holder, copy_id: str) -> None:
    """Give a copy of a holder, of the same kind and owner, the same secrets."""
    copied = [it if it is not table.c.holder_id else literal(copy_id).label(it.name) for it in table.c]
    rows = select(*copied).where(*_of(holder))
    connection.execute(insert_into(connection, table).from_select([it.name for it in table.c], rows))


def forget(connection: Connection, holder: Holder) -> None:
    """Delete a holder's secrets."""
    connection.execute(delete(table).where(*_of(holder)))


def stale(connection: Connection, master_id: str, after: tuple[str, ...], limit: int) -> list[Envelope]:
    """Return and lock a page of the envelopes behind the key `after` that are not under this master key."""
    query = select(table).where(table.c.master_id != master_id)
    if after:
        query = query.where(tuple_(*_KEY) > tuple_(*after))
    rows = connection.execute(query.order_by(*_KEY).limit(limit).with_for_update())
    return [
        Envelope(
            key=(row.owner_id, row.holder, row.holder_id, row.place),
            binding=_binding(row.owner_id, row.place),
            sealed=Sealed(envelope=bytes(row.sealed), master_id=row.master_id),
        )
        for row in rows
    ]


def reseal(connection: Connection, key: tuple[str, ...], sealed: Sealed) -> None:
    """Replace the envelope with this key."""
    is_it = (column == value for column, value in zip(_KEY, key, strict=True))
    values = {"sealed": sealed.envelope, "master_id": sealed.master_id}
    connection.execute(update(table).where(*is_it).values(**values))


def _of(holder: Holder) -> tuple[ColumnElement[bool], ...]:
    return (
        table.c.owner_id == holder.owner_id,
        table.c.holder == holder.kind,
        table.c.holder_id == holder.id,
    )


def _binding(owner_id: str, end: str) -> Binding:
    return (owner_id, "inline-credentials", end)
