"""How transactions look to their account's owner: as shapes and as a table of text."""

import csv
import io
from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy import Row

from api.shapes.wallet import RelatedEntity, RelatedEntityData, Transaction
from gridloom import money
from storage.repositories.wallet import Kind

_COLUMNS = ("date", "type", "description", "amount", "currency amount", "balance")
# Spreadsheets take cells that begin so for formulas, and some skip blanks and quotes before them.
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")


def transaction_of(row: Row[Any]) -> Transaction:
    """Return a transaction's published members."""
    return Transaction(
        id=row.id,
        created_at=row.created_at,
        account_from=row.account_from,
        account_to=row.account_to,
        amount=money.to_number(row.amount),
        transaction_type=row.kind,
        related_entity=RelatedEntity(**_entity(row.related)),
        notes=row.notes,
        transaction_data=row.settles,
        hash=row.hash,
        related_entity_data=_data(row),
        description=row.description,
        balance=money.to_number(row.balance),
    )


def table_of(rows: Iterable[Row[Any]]) -> str:
    """Return transactions as CSV (RFC 4180) with a line of names."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(_COLUMNS)
    for row in rows:
        writer.writerow(
            (
                row.created_at.isoformat(),
                row.kind,
                _harmless(row.description),
                money.to_text(row.amount),
                f"{row.currency_amount:.2f}",
                money.to_text(row.balance),
            )
        )
    return text.getvalue()


def _data(row: Row[Any]) -> RelatedEntityData:
    related = row.related
    about_job, about_coupon = row.kind == Kind.PAYMENT, row.kind == Kind.COUPON
    name = related.get("name", "")
    return RelatedEntityData(
        **_entity(related),
        job_name=name if about_job else "",
        job_id=related.get("id", "") if about_job else "",
        description=row.description,
        currency=row.currency,
        currency_amount=row.currency_amount,
        exchange_rate=row.exchange_rate,
        coupon_code=name if about_coupon else "",
        job_template=related.get("template", ""),
    )


def _entity(related: Mapping[str, str]) -> dict[str, str]:
    return {it: related.get(it, "") for it in ("type", "id", "name")}


def _harmless(cell: str) -> str:
    return f"'{cell}" if cell.lstrip(" \"'").startswith(_FORMULA) else cell
