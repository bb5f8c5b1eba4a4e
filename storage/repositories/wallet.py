"""Moves of ByteChips: each is one transaction of two entries whose amounts sum to 0, and happens once.

Whoever moves an account's chips holds the row of its balance until the end of the database's transaction, so the
balances after each entry and the chain of hashes have one order. Whoever holds a job's row as well took that first.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection, bindparam, delete, func, insert, select, update

from gridloom import money
from gridloom.errors import BadInput
from gridloom.ids import new_uuid
from storage.columns import AnyRow, db_now
from storage.tables import balances, entries, jobs, reservations, transactions
from storage.upsert import insert_into

FABRIC = "house:fabric"  #: receives what jobs cost
GRANTS = "house:grants"  #: gives what nobody in the fabric paid for

COUPON_PREFIX = "Promo Code: "

_AUTOMATIC_STEP = 1000 * money.UNIT

# Run at the end of every job: building a statement costs more than running it.
_LOCK = select(balances).where(balances.c.account == bindparam("of_account")).with_for_update()
_NOW = select(db_now())
_SETTLED = select(transactions.c.id).where(transactions.c.settles == bindparam("of_thing"))
_ENDED = select(jobs.c.owner_id, jobs.c.name, jobs.c.template_id, jobs.c.price).where(
    jobs.c.id == bindparam("of_job")
)
_RELEASE = (
    delete(reservations).where(reservations.c.job_id == bindparam("of_job")).returning(reservations.c.account)
)
_RESERVED = select(func.coalesce(func.sum(reservations.c.amount), 0)).where(
    reservations.c.account == bindparam("of_account")
)


class Kind(StrEnum):
    """What a transaction is; the values are the published names."""

    PAYMENT = "payment"
    TOP_UP = "top_up"
    COUPON = "coupon"


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """Chips that an account gets (a positive amount, from the grants) or pays (a negative one, to the fabric)."""

    kind: Kind
    settles: str  #: what is done by it, such as `job:<id>`; it is done once
    account: str
    amount: int
    description: str
    related: Mapping[str, str] = field(default_factory=dict)
    notes: str = ""
    currency: str = ""
    currency_amount: Decimal = Decimal(0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Funds:
    """What an account has, and how much of it live jobs may yet cost."""

    total: int
    reserved: int

    @property
    def available(self) -> int:
        """What may still be spent; negative when more was spent than there was."""
        return self.total - self.reserved

    @property
    def due(self) -> int:
        """What is owed."""
        return max(0, -self.total)


def open_account(connection: Connection, account_id: str, credits: Decimal) -> None:  # noqa: A002 - their name
    """Give a new account its first chips, if it gets any."""
    amount = money.rounded(credits)
    if amount:
        move = Move(
            kind=Kind.TOP_UP,
            settles=f"signup:{account_id}",
            account=account_id,
            amount=amount,
            description="Sign-up credits",
        )
        post(connection, move)


def funds(connection: Connection, account: str) -> Funds:
    """Return what an account has."""
    total = connection.execute(select(balances.c.amount).where(balances.c.account == account)).scalar()
    reserved = connection.execute(_RESERVED, {"of_account": account}).scalar_one()
    return Funds(total=total or 0, reserved=int(reserved))


def settled(connection: Connection, settles: str) -> bool:
    """Tell whether a thing was done already."""
    return connection.execute(_SETTLED, {"of_thing": settles}).first() is not None


def post(connection: Connection, move: Move) -> str:
    """Make a transaction of a move and return its id."""
    return _post(connection, move, _locked(connection, move.account))


def reserve(connection: Connection, account: str, job_id: str, amount: int) -> None:
    """Set aside what a job may cost, until it ends.

    Raises:
        BadInput: when the account has nothing left, or less than that.
    """
    _locked(connection, account)
    available = funds(connection, account).available
    if available <= 0 or available < amount:
        raise BadInput(
            f"the wallet has {money.to_text(available)} ByteChips available and the job may cost"
            f" {money.to_text(amount)}; top up or redeem a coupon",
            field="balance",
        )
    connection.execute(insert(reservations).values(job_id=job_id, account=account, amount=amount))


def settle(connection: Connection, job_id: str) -> None:
    """Pay for a job that has just ended, in the same transaction: the sum of its completed tasks' prices, be it 0.

    A job that was started without a reservation was started while nobody could run out of chips: what its owner lacks
    is granted first. One that ended before, and was only delivered again since, is paid already.
    """
    if settled(connection, f"job:{job_id}"):
        return
    job = connection.execute(_ENDED, {"of_job": job_id}).one()
    balance = _locked(connection, job.owner_id)
    free = connection.execute(_RELEASE, {"of_job": job_id}).first() is None
    lacking = job.price - balance.amount
    if free and lacking > 0:
        grant = Move(
            kind=Kind.TOP_UP,
            settles=f"grant:{job_id}",
            account=job.owner_id,
            # In large steps, or every payment would have its grant beside it.
            amount=-(-lacking // _AUTOMATIC_STEP) * _AUTOMATIC_STEP,
            description="Automatic grant",
        )
        _post(connection, grant, balance)
        balance = _locked(connection, job.owner_id)
    payment = Move(
        kind=Kind.PAYMENT,
        settles=f"job:{job_id}",
        account=job.owner_id,
        amount=-job.price,
        description=job.name,
        related={"type": "job", "id": job_id, "name": job.name, "template": job.template_id},
    )
    _post(connection, payment, balance)


def _locked(connection: Connection, account: str) -> AnyRow:
    found = connection.execute(_LOCK, {"of_account": account}).first()
    if found is None:
        first = insert_into(connection, balances).values(account=account, amount=0)
        connection.execute(first.on_conflict_do_nothing())
        found = connection.execute(_LOCK, {"of_account": account}).one()
    return found


def _post(connection: Connection, move: Move, before: AnyRow) -> str:
    pays = move.kind is Kind.PAYMENT
    house = FABRIC if pays else GRANTS
    chips = Decimal(abs(move.amount)) / money.UNIT
    row: dict[str, Any] = {
        "id": new_uuid(),
        "kind": move.kind,
        "settles": move.settles,
        "account_from": move.account if pays else house,
        "account_to": house if pays else move.account,
        "amount": abs(move.amount),
        "currency": move.currency,
        "currency_amount": float(move.currency_amount),
        "exchange_rate": float(move.currency_amount / chips) if chips else 0.0,
        "description": move.description,
        "notes": move.notes,
        "related": dict(move.related),
        "created_at": connection.execute(_NOW).scalar_one(),
    }
    row["hash"] = digest(before.hash, row)
    balance = before.amount + move.amount
    shared = {"transaction_id": row["id"], "kind": row["kind"], "created_at": row["created_at"]}
    listed = {
        "description": move.description,
        "subject_id": move.related.get("id", ""),
        "template_id": move.related.get("template", ""),
    }
    blank = dict.fromkeys(listed, "")
    connection.execute(insert(transactions).values(**row))
    connection.execute(
        insert(entries),
        [
            {"account": move.account, "amount": move.amount, "balance": balance, **shared, **listed},
            {"account": house, "amount": -move.amount, "balance": None, **shared, **blank},
        ],
    )
    connection.execute(
        update(balances).where(balances.c.account == move.account).values(amount=balance, hash=row["hash"])
    )
    return str(row["id"])


def digest(previous: str, row: Mapping[str, Any]) -> str:
    """Return the hash of a transaction: SHA-256, hex, over the hash of its account's previous one and its members."""
    created_at: datetime = row["created_at"]
    members = [
        row[it] for it in ("id", "kind", "settles", "account_from", "account_to", "amount", "description")
    ]
    text = json.dumps([previous, *members, created_at.isoformat(timespec="microseconds")])
    return hashlib.sha256(text.encode()).hexdigest()
