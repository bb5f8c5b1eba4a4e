"""What an account's owner sees of its ByteChips: transactions, filtered and paged, and what each day cost."""

from collections.abc import Iterator, Sequence
from datetime import datetime

from sqlalchemy import BigInteger, ColumnElement, Connection, Select, case, func, select, type_coerce

from gridloom import money
from gridloom.errors import BadInput
from storage.columns import AnyRow
from storage.filter_values import Filter, FilterField, Kind
from storage.filters import apply
from storage.json_members import member_text
from storage.repositories import wallet
from storage.spans import Span
from storage.tables import entries, transactions

_DAY_US = 86_400_000_000
_AT_ONCE = 5_000

# Left, so that a query that asks nothing of the transactions doesn't read them.
_JOINED = entries.outerjoin(transactions, transactions.c.id == entries.c.transaction_id)
_SHOWN = select(transactions, entries.c.balance, entries.c.id.label("entry_id")).select_from(_JOINED)
_SIZE = func.abs(entries.c.amount)

#: Entries of an account are in the order of their time; ids tell it without a sort.
_ORDERS: dict[str, ColumnElement[object]] = {
    "created_at": entries.c.id,
    "amount": _SIZE,
    "balance": entries.c.balance,
    "transaction_type": entries.c.kind,
    "description": entries.c.description,
}


def _related(member: str, kind: wallet.Kind | None = None) -> FilterField:
    text = member_text(transactions.c.related, [member])
    return FilterField(column=text if kind is None else case((entries.c.kind == kind, text)))


_FIELDS = {
    "id": FilterField(column=entries.c.transaction_id),
    "created_at": FilterField(column=entries.c.created_at, kind=Kind.TIME),
    "account_from": FilterField(column=transactions.c.account_from),
    "account_to": FilterField(column=transactions.c.account_to),
    "amount": FilterField(column=_SIZE, kind=Kind.NUMBER, scale=money.UNIT),
    "balance": FilterField(column=entries.c.balance, kind=Kind.NUMBER, scale=money.UNIT),
    "transaction_type": FilterField(
        column=entries.c.kind, kind=Kind.CHOICE, choices={it.value: it for it in wallet.Kind}
    ),
    "description": FilterField(column=entries.c.description),
    "notes": FilterField(column=transactions.c.notes),
    "hash": FilterField(column=transactions.c.hash),
    "related_entity.type": _related("type"),
    "related_entity.id": _related("id"),
    "related_entity.name": _related("name"),
    "related_entity_data.type": _related("type"),
    "related_entity_data.id": _related("id"),
    "related_entity_data.name": _related("name"),
    "related_entity_data.job_id": _related("id", wallet.Kind.PAYMENT),
    "related_entity_data.job_name": _related("name", wallet.Kind.PAYMENT),
    "related_entity_data.job_template": _related("template", wallet.Kind.PAYMENT),
    "related_entity_data.coupon_code": _related("name", wallet.Kind.COUPON),
}


def page(
    connection: Connection, account: str, span: Span, filters: Sequence[Filter] = ()
) -> tuple[list[AnyRow], int]:
    """Return one page of an account's transactions with the balance after each, and how many there are.

    Raises:
        BadInput: when a filter can't be applied, or the order is unknown.
    """
    name = span.order_by or "created_at"
    if name not in _ORDERS:
        raise BadInput(f"can't order by {name}; use {', '.join(_ORDERS)}", field="orderBy")
    matching = apply(_of(account), filters, _FIELDS)
    total = connection.execute(select(func.count()).select_from(matching.subquery())).scalar_one()
    order = [it.desc() if span.descending else it.asc() for it in (_ORDERS[name], entries.c.id)]
    # Ordered as ids first: all but one page of the transactions would be read for nothing.
    ids = matching.order_by(*order).limit(span.limit).offset(span.offset)
    wanted = list(connection.execute(ids).scalars())
    found = connection.execute(_SHOWN.where(entries.c.id.in_(wanted)))
    rows = {row.entry_id: row for row in found}
    return [rows[entry_id] for entry_id in wanted], total


def one(connection: Connection, account: str, transaction_id: str) -> AnyRow:
    """Return a transaction of an account with the balance after it."""
    where = (entries.c.account == account, entries.c.transaction_id == transaction_id)
    return connection.execute(_SHOWN.where(*where)).one()


def every(connection: Connection, account: str) -> Iterator[AnyRow]:
    """Yield all transactions of an account with the balance after each, the newest first."""
    query = _SHOWN.where(entries.c.account == account).order_by(entries.c.id.desc())
    yield from connection.execution_options(yield_per=_AT_ONCE).execute(query)


def usage(
    connection: Connection, account: str, since: datetime, until: datetime, template_id: str
) -> list[AnyRow]:
    """Return (day, template_id, amount) of payments from `since` on, before `until`: one row for each day, counted
    from 1970 in UTC, and template. An empty `template_id` means all."""
    day = (type_coerce(entries.c.created_at, BigInteger) // _DAY_US).label("day")
    template = func.coalesce(member_text(transactions.c.related, ["template"]), "").label("template_id")
    query = (
        select(day, template, func.sum(-entries.c.amount).label("amount"))
        .select_from(_JOINED)
        .where(
            entries.c.account == account,
            entries.c.kind == wallet.Kind.PAYMENT,
            entries.c.created_at >= since,
            entries.c.created_at < until,
        )
        .group_by(day, template)
        .order_by(day, template)
    )
    if template_id:
        query = query.where(template == template_id)
    return list(connection.execute(query))


def _of(account: str) -> Select[tuple[int]]:
    return select(entries.c.id).select_from(_JOINED).where(entries.c.account == account)
