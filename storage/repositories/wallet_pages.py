"""What an account's owner sees of its ByteChips: transactions, filtered and paged, and what each day cost."""

from collections.abc import Iterator, Sequence
from datetime import datetime

from sqlalchemy import BigInteger, ColumnElement, Connection, case, func, select, type_coerce

from gridloom import money
from gridloom.errors import BadInput
from storage.columns import AnyRow
from storage.filter_values import Filter, FilterField, Kind
from storage.filters import apply
from storage.repositories import wallet
from storage.spans import Span
from storage.tables import entries, transactions

_DAY_US = 86_400_000_000
_AT_ONCE = 5_000

_SAME = transactions.c.id == entries.c.transaction_id
_SHOWN = select(transactions, entries.c.balance, entries.c.id.label("entry_id")).where(_SAME)
_SIZE = func.abs(entries.c.amount)

#: Entries of an account are in the order of their time; ids tell it without a sort.
_ORDERS: dict[str, ColumnElement[object]] = {
    "created_at": entries.c.id,
    "amount": _SIZE,
    "balance": entries.c.balance,
    "transaction_type": entries.c.kind,
    "description": entries.c.description,
}


_PAID = entries.c.kind == wallet.Kind.PAYMENT
_REDEEMED = entries.c.kind == wallet.Kind.COUPON
_CODE = func.substr(entries.c.description, len(wallet.COUPON_PREFIX) + 1)
_TYPE = FilterField(column=case((_PAID, "job"), (_REDEEMED, "coupon"), else_=""))
_ID = FilterField(column=entries.c.subject_id)
_NAME = FilterField(column=case((_PAID, entries.c.description), (_REDEEMED, _CODE), else_=""))

# All but the notes and the hash are told by the entries' index; see storage/tables/wallet.py.
_FIELDS = {
    "id": FilterField(column=entries.c.transaction_id),
    "created_at": FilterField(column=entries.c.created_at, kind=Kind.TIME),
    "account_from": FilterField(column=case((_PAID, entries.c.account), else_=wallet.GRANTS)),
    "account_to": FilterField(column=case((_PAID, wallet.FABRIC), else_=entries.c.account)),
    "amount": FilterField(column=_SIZE, kind=Kind.NUMBER, scale=money.UNIT),
    "balance": FilterField(column=entries.c.balance, kind=Kind.NUMBER, scale=money.UNIT),
    "transaction_type": FilterField(
        column=entries.c.kind, kind=Kind.CHOICE, choices={it.value: it for it in wallet.Kind}
    ),
    "description": FilterField(column=entries.c.description),
    "notes": FilterField(column=select(transactions.c.notes).where(_SAME).scalar_subquery()),
    "hash": FilterField(column=select(transactions.c.hash).where(_SAME).scalar_subquery()),
    "related_entity.type": _TYPE,
    "related_entity.id": _ID,
    "related_entity.name": _NAME,
    "related_entity_data.type": _TYPE,
    "related_entity_data.id": _ID,
    "related_entity_data.name": _NAME,
    "related_entity_data.job_id": FilterField(column=case((_PAID, entries.c.subject_id), else_="")),
    "related_entity_data.job_name": FilterField(column=case((_PAID, entries.c.description), else_="")),
    "related_entity_data.job_template": FilterField(column=entries.c.template_id),
    "related_entity_data.coupon_code": FilterField(column=case((_REDEEMED, _CODE), else_="")),
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
    matching = apply(select(entries.c.id).where(entries.c.account == account), filters, _FIELDS)
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
    where = [
        entries.c.account == account,
        _PAID,
        entries.c.created_at >= since,
        entries.c.created_at < until,
    ]
    if template_id:
        where.append(entries.c.template_id == template_id)
    query = (
        select(day, entries.c.template_id, func.sum(-entries.c.amount).label("amount"))
        .where(*where)
        .group_by(day, entries.c.template_id)
        .order_by(day, entries.c.template_id)
    )
    return list(connection.execute(query))
