"""/v1/admin/coupons and /grants: operators give out ByteChips."""

from decimal import Decimal

from fastapi import APIRouter
from sqlalchemy import Connection

from api.deps import AdminDep, ContextDep, PageDep
from api.json_route import JsonRoute
from api.shapes.base import PaginatedResponse
from api.shapes.wallet import Coupon, CouponListResponse, CouponRequest, GrantRequest, Transaction
from api.wallet_view import transaction_of
from gridloom import money
from gridloom.errors import BadInput, NotFound
from gridloom.ids import new_uuid
from storage.columns import AnyRow
from storage.repositories import accounts, coupons, wallet, wallet_pages

router = APIRouter(route_class=JsonRoute, tags=["Admin"])


@router.post("/coupons")
def create_coupon(body: CouponRequest, context: ContextDep, _: AdminDep) -> Coupon:
    """Make a coupon."""
    amount = _positive(body.amount)
    row = context.writer.run(
        lambda connection: coupons.create(connection, body.code, amount, body.uses, body.expires_at)
    )
    return _coupon(row)


@router.get("/coupons")
def list_coupons(context: ContextDep, _: AdminDep, page: PageDep) -> CouponListResponse:
    """List all coupons, the newest first."""
    with context.database.read() as connection:
        rows, total = coupons.listed(connection, page)
    pagination = PaginatedResponse.of(total=total, offset=page.offset, rows=len(rows))
    return CouponListResponse(pagination=pagination, data=[_coupon(row) for row in rows])


@router.post("/grants")
def create_grant(body: GrantRequest, context: ContextDep, _: AdminDep) -> Transaction:
    """Add ByteChips to an account."""
    amount = _positive(body.amount)
    settles = f"top_up:{body.reference or new_uuid()}"

    def grant(connection: Connection) -> AnyRow:
        account_id = _account(connection, body)
        if wallet.settled(connection, settles):
            raise BadInput(f"{body.reference!a} was granted already", field="reference")
        move = wallet.Move(
            kind=wallet.Kind.TOP_UP,
            settles=settles,
            account=account_id,
            amount=amount,
            description=body.description,
            notes=body.notes,
            currency=body.currency,
            currency_amount=Decimal(str(body.currency_amount)),
        )
        return wallet_pages.one(connection, account_id, wallet.post(connection, move))

    return transaction_of(context.writer.run(grant))


def _account(connection: Connection, body: GrantRequest) -> str:
    """Return the id of the account that a request names."""
    if bool(body.account_id) == bool(body.user_name):
        raise BadInput("name the account by either accountId or userName", field="accountId")
    if body.account_id:
        found = accounts.by_id(connection, body.account_id)
    else:
        found = accounts.by_name(connection, body.user_name)
    if found is None:
        raise NotFound(f"there is no account {body.account_id or body.user_name!a}")
    return found.id


def _positive(chips: float) -> int:
    amount = money.parse(chips, "amount")
    if amount <= 0:
        raise BadInput("amount must be more than 0", field="amount")
    return amount


def _coupon(row: AnyRow) -> Coupon:
    return Coupon(
        id=row.id,
        code=row.code,
        amount=money.to_number(row.amount),
        uses=row.uses,
        used=row.used,
        created_at=row.created_at,
        expires_at=row.expires_at,
    )
