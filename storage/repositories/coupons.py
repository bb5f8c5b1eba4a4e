"""Coupons: codes that operators make and accounts turn into ByteChips, each account once."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection, func, select, update

from gridloom.errors import BadInput, NotFound
from gridloom.ids import new_uuid
from storage.columns import AnyRow, db_now
from storage.repositories import wallet
from storage.spans import Span
from storage.tables import coupons
from storage.upsert import insert_into


def create(connection: Connection, code: str, amount: int, uses: int, expires_at: datetime | None) -> AnyRow:
    """Add a coupon that so many accounts may redeem, and return it.

    Raises:
        BadInput: when there is one of this code.
    """
    moment = connection.execute(select(db_now())).scalar_one()
    values = {"code": code, "amount": amount, "uses": uses, "expires_at": expires_at}
    made = connection.execute(
        insert_into(connection, coupons)
        .values(id=new_uuid(), created_at=moment, **values)
        .on_conflict_do_nothing()
        .returning(coupons)
    ).first()
    if made is None:
        raise BadInput(f"there is a coupon {code!a} already", field="code")
    return made


def listed(connection: Connection, span: Span) -> tuple[Sequence[AnyRow], int]:
    """Return one page of all coupons, the newest first, and how many there are."""
    newest = select(coupons).order_by(coupons.c.created_at.desc(), coupons.c.id)
    rows = connection.execute(newest.limit(span.limit).offset(span.offset)).all()
    return rows, connection.execute(select(func.count()).select_from(coupons)).scalar_one()


def redeem(connection: Connection, account: str, code: str) -> AnyRow:
    """Add a coupon's amount to an account and return the coupon.

    Raises:
        NotFound: when there is no such code.
        BadInput: when the account redeemed it before, it is used up, or it has expired.
    """
    coupon = connection.execute(
        select(coupons, db_now().label("now")).where(coupons.c.code == code).with_for_update()
    ).first()
    if coupon is None:
        raise NotFound(f"there is no coupon {code[:100]!a}")
    settles = f"coupon:{coupon.id}:{account}"
    if wallet.settled(connection, settles):
        raise BadInput(f"coupon {code} was redeemed by this account already", field="couponCode")
    if coupon.used >= coupon.uses:
        raise BadInput(f"coupon {code} is used up", field="couponCode")
    if coupon.expires_at is not None and coupon.expires_at <= coupon.now:
        raise BadInput(f"coupon {code} has expired", field="couponCode")
    connection.execute(update(coupons).where(coupons.c.id == coupon.id).values(used=coupons.c.used + 1))
    move = wallet.Move(
        kind=wallet.Kind.COUPON,
        settles=settles,
        account=account,
        amount=coupon.amount,
        description=f"{wallet.COUPON_PREFIX}{code}",
        related={"type": "coupon", "id": coupon.id, "name": code},
    )
    wallet.post(connection, move)
    return coupon
