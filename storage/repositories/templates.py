"""Job templates; an id leads to the caller's own template, then to a public one, without its owner's credentials."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, RowMapping, Select, and_, case, delete, func, or_, select, update
from sqlalchemy.sql.expression import ColumnElement

from gridloom.inline_credentials import apart
from gridloom.templates import Template, TemplateSource
from storage.repositories import inline_credentials
from storage.repositories.inline_credentials import ENDS, Holder
from storage.spans import Span, fetch_span
from storage.tables import accounts, templates
from storage.upsert import insert_into
from storage.vault import Vault

ORDERS: dict[str, ColumnElement[Any]] = {
    "created_at": templates.c.created_at,
    "updated_at": templates.c.updated_at,
    "id": templates.c.id,
    "user_name": accounts.c.user_name,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class TemplateRow:
    """A stored template and whose it is."""

    owner_id: str
    user_name: str
    template: Template
    is_public: bool
    created_at: datetime
    updated_at: datetime


def save(connection: Connection, vault: Vault, owner_id: str, template: Template) -> None:
    """Insert a template, or replace the owner's one of the same id.

    Its creation time stays, and whether it is public where the new one doesn't say. Secrets in the params of its ends
    are sealed apart; those of an end that comes as it is shown, without them, stay.

    Raises:
        VaultLocked: when it brings secrets and there is no master key.
    """
    template = _without_secrets(connection, vault, owner_id, template)
    now = datetime.now(UTC)
    content: dict[str, Any] = {
        "body": template.model_dump(mode="json", exclude={"is_public"}),
        "updated_at": now,
    }
    if template.is_public is not None:
        content["is_public"] = template.is_public
    connection.execute(
        insert_into(connection, templates)
        .values({"is_public": False, "owner_id": owner_id, "id": template.id, "created_at": now, **content})
        .on_conflict_do_update(index_elements=["owner_id", "id"], set_=content)
    )


def find(connection: Connection, account_id: str, template_id: str) -> TemplateRow | None:
    """Return the template with this id that the account may see, its own before public ones."""
    return _first(connection, account_id, templates.c.id == template_id)


def find_by_app(connection: Connection, account_id: str, app_tags: Sequence[str]) -> TemplateRow | None:
    """Return a template that the account may see and whose `app` is written as one of these tags."""
    return _first(connection, account_id, templates.c.body["app"].as_string().in_(app_tags))


def listed(
    connection: Connection, account_id: str, *, public: bool, span: Span
) -> tuple[list[TemplateRow], int]:
    """Return a page of the account's templates, or of every public one, and how many there are in all.

    Raises:
        BadInput: when they can't be ordered by that name.
    """
    query = _ROWS.where(templates.c.is_public if public else templates.c.owner_id == account_id)
    rows, total = fetch_span(connection, query, span, ORDERS, templates.c.id)
    return [_row(row, account_id) for row in rows], total


def published(
    connection: Connection, account_id: str, template_id: str, user_name: str = ""
) -> TemplateRow | None:
    """Return the public template with this id of another account, or of the one that is named."""
    whose = accounts.c.user_name == user_name if user_name else templates.c.owner_id != account_id
    return _first(connection, account_id, and_(templates.c.id == template_id, templates.c.is_public, whose))


def owns(connection: Connection, owner_id: str, template_id: str) -> bool:
    """Tell whether the account has a template of its own with this id."""
    query = select(templates.c.id).where(*_mine(owner_id, template_id))
    return connection.execute(query).first() is not None


def count(connection: Connection, owner_id: str) -> int:
    """Return how many templates an account keeps."""
    query = select(func.count()).select_from(templates).where(templates.c.owner_id == owner_id)
    return connection.execute(query).scalar_one()


def set_public(connection: Connection, owner_id: str, template_id: str, *, public: bool) -> bool:
    """Let everybody see and use the owner's template, or its owner alone; tell whether there is one."""
    one = update(templates).where(*_mine(owner_id, template_id))
    changed = connection.execute(one.values(is_public=public, updated_at=datetime.now(UTC)))
    return changed.rowcount > 0


def remove(connection: Connection, owner_id: str, template_id: str) -> bool:
    """Delete the owner's template and tell whether there was one."""
    inline_credentials.forget(connection, holder_of(owner_id, template_id))
    return connection.execute(delete(templates).where(*_mine(owner_id, template_id))).rowcount > 0


def holder_of(owner_id: str, template_id: str) -> Holder:
    """Return what the secrets of a template's ends are kept under."""
    return Holder(owner_id=owner_id, kind="template", id=template_id)


def _without_secrets(connection: Connection, vault: Vault, owner_id: str, template: Template) -> Template:
    body = connection.execute(
        select(templates.c.body).where(*_mine(owner_id, template.id)).with_for_update()
    ).scalar()
    old, holder = body and Template.model_validate(body), holder_of(owner_id, template.id)
    ends: dict[str, TemplateSource | None] = {}
    for end in ENDS:
        given, kept = getattr(template, end), old and getattr(old, end)
        params, found = apart(given.params, f"template.{end}.params") if given else ({}, [])
        ends[end] = given and given.model_copy(update={"params": params})
        if given and kept and not found and ends[end] in (kept, kept.shown()):
            ends[end] = kept
        else:
            inline_credentials.keep(connection, vault, holder, end, found)
    return template.model_copy(update=ends)


_ROWS: Select[Any] = select(
    templates.c.owner_id,
    accounts.c.user_name,
    templates.c.body,
    templates.c.is_public,
    templates.c.created_at,
    templates.c.updated_at,
).join_from(templates, accounts)


def _first(connection: Connection, account_id: str, condition: ColumnElement[bool]) -> TemplateRow | None:
    mine = templates.c.owner_id == account_id
    query = _ROWS.where(condition, or_(mine, templates.c.is_public))
    ordered = query.order_by(case((mine, 0), else_=1), templates.c.updated_at.desc(), templates.c.id)
    row = connection.execute(ordered.limit(1)).mappings().first()
    return _row(row, account_id) if row else None


def _mine(owner_id: str, template_id: str) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    return templates.c.owner_id == owner_id, templates.c.id == template_id


def _row(row: RowMapping, account_id: str) -> TemplateRow:
    values = {name: row[name] for name in row if name != "body"}
    template = Template.model_validate(row["body"])
    return TemplateRow(**values, template=template if row["owner_id"] == account_id else template.shared())
