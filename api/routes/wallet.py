"""/v1/wallet: balance, transactions, coupons, rates, usage, top-ups."""

import re
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Annotated
from urllib.parse import urlencode, urlsplit

from fastapi import APIRouter, Query

from api.deps import CallerDep, ContextDep, Page, PageDep, TurnDep
from api.json_route import JsonRoute
from api.shapes.base import PaginatedResponse
from api.shapes.filters import FilterRequest
from api.shapes.wallet import (
    BalanceResponse,
    CsvResponse,
    ExchangeResponse,
    PageLinkResponse,
    Rate,
    RatesResponse,
    RedeemRequest,
    RedeemResponse,
    TopUpRequest,
    TransactionListResponse,
    UsageItem,
    UsageResponse,
)
from api.wallet_view import table_of, transaction_of
from gridloom import money
from gridloom.errors import BadInput, Forbidden
from gridloom.rates import CORE_RATE, GIB_RATE, rate_card
from gridloom.settings import Settings
from storage.repositories import coupons, wallet, wallet_pages

router = APIRouter(route_class=JsonRoute, tags=["Wallet"])

_EPOCH = date(1970, 1, 1)
_MONTH = re.compile(r"([0-9]{4})-(0[1-9]|1[0-2])")
_NO_SHOP = "this fabric sells no ByteChips; ask its operator to grant some"


@router.get("/balance")
def get_balance(context: ContextDep, caller: CallerDep) -> BalanceResponse:
    """Read what the caller has, and how much of it may still be spent."""
    with context.database.read() as connection:
        funds = wallet.funds(connection, caller.account_id)
    return BalanceResponse(
        account_id=caller.account_id,
        total_balance=money.to_number(funds.total),
        available_balance=money.to_number(funds.available),
        amount_due=money.to_number(funds.due),
    )


@router.get("/transactions", tags=["Transactions"])
def list_transactions(context: ContextDep, caller: CallerDep, page: PageDep) -> TransactionListResponse:
    """List the caller's transactions, the newest first."""
    with context.database.read() as connection:
        rows, total = wallet_pages.page(connection, caller.account_id, page)
    pagination = PaginatedResponse.of(total=total, offset=page.offset, rows=len(rows))
    return TransactionListResponse(pagination=pagination, data=[transaction_of(row) for row in rows])


@router.post("/transactions/filter", tags=["Transactions"])
def filter_transactions(
    body: FilterRequest, context: ContextDep, caller: CallerDep, _: TurnDep
) -> TransactionListResponse:
    """List those of the caller's transactions for which every filter holds."""
    page = Page.of(body.pagination.limit, body.pagination.offset, body.order_by)
    with context.database.read() as connection:
        rows, total = wallet_pages.page(connection, caller.account_id, page, body.wanted())
    pagination = PaginatedResponse.of(total=total, offset=page.offset, rows=len(rows))
    return TransactionListResponse(pagination=pagination, data=[transaction_of(row) for row in rows])


@router.get("/transactions/csv", tags=["Transactions"])
def get_csv(context: ContextDep, caller: CallerDep, _: TurnDep) -> CsvResponse:
    """Write all of the caller's transactions as a table."""
    with context.database.read() as connection:
        return CsvResponse(csv=table_of(wallet_pages.every(connection, caller.account_id)))


@router.get("/exchange_rate", tags=["Exchange Rate"])
def get_exchange_rate(
    context: ContextDep,
    _: CallerDep,
    currency: Annotated[str, Query(max_length=3)] = "",
    currency_amount: Annotated[float, Query(alias="currencyAmount", ge=0, le=1e9, allow_inf_nan=False)] = 1,
) -> ExchangeResponse:
    """Convert an amount of the wallet's currency to ByteChips."""
    settings = context.settings
    _check_currency(settings, currency, "currency")
    chips = Decimal(str(currency_amount)) / settings.chip_price
    return ExchangeResponse(
        currency=settings.currency,
        currency_amount=currency_amount,
        exchange_rate=float(settings.chip_price),
        amount=money.to_number(money.rounded(chips)),
    )


@router.post("/redeem_coupon", tags=["Coupons"])
def redeem_coupon(body: RedeemRequest, context: ContextDep, caller: CallerDep) -> RedeemResponse:
    """Redeem a coupon, once."""
    code = body.coupon_code.strip()
    coupon = context.writer.run(lambda connection: coupons.redeem(connection, caller.account_id, code))
    return RedeemResponse(id=coupon.id, code=coupon.code, amount=money.to_text(coupon.amount))


@router.get("/rates")
def get_rates(context: ContextDep, _: CallerDep) -> RatesResponse:
    """Read the price list: a task pays for the larger of its cores, its GiB of memory and its GPU."""
    gpus = rate_card(context.settings.gpu_rates).gpus
    return RatesResponse(
        rates=[
            Rate(name="vCPU", type="cpu", rate=money.to_number(CORE_RATE)),
            Rate(name="GiB", type="memory", rate=money.to_number(GIB_RATE)),
            *(Rate(name=name, type="gpu", rate=money.to_number(rate)) for name, rate in gpus.items()),
        ],
        gpus=list(gpus),
    )


@router.get("/usage")
def get_usage(
    context: ContextDep,
    caller: CallerDep,
    month: Annotated[str, Query(max_length=7)] = "",
    template_id: Annotated[str, Query(alias="templateId", max_length=200)] = "",
) -> UsageResponse:
    """Read what each day (in UTC) and template of a month has cost; without `month` the current one."""
    since, until = _span_of(month or f"{datetime.now(UTC):%Y-%m}")
    with context.database.read() as connection:
        rows = wallet_pages.usage(connection, caller.account_id, since, until, template_id)
    items = [
        UsageItem(
            date=_EPOCH + timedelta(days=row.day),
            template_id=row.template_id,
            amount=money.to_number(int(row.amount)),
        )
        for row in rows
    ]
    return UsageResponse(total=money.to_number(sum(int(row.amount) for row in rows)), data=items)


@router.post("/top_up", response_model_exclude_none=True)
def top_up(body: TopUpRequest, context: ContextDep, caller: CallerDep) -> PageLinkResponse:
    """Lead to the page where ByteChips are sold, if this fabric sells any."""
    settings = context.settings
    _check_currency(settings, body.currency, "currency")
    amount = money.parse(body.amount, "amount")
    if amount < 0:
        raise BadInput("amount must not be negative", field="amount")
    chips = amount or money.rounded(Decimal(str(body.currency_amount)) / settings.chip_price)
    return PageLinkResponse(url=_shop(settings, account=caller.account_id, amount=money.to_text(chips)))


@router.get("/customer_portal", response_model_exclude_none=True)
def get_customer_portal(context: ContextDep, caller: CallerDep) -> PageLinkResponse:
    """Lead to the page where ByteChips are sold, if this fabric sells any."""
    return PageLinkResponse(url=_shop(context.settings, account=caller.account_id))


def _shop(settings: Settings, **query: str) -> str:
    if not settings.payment_url:
        raise Forbidden(_NO_SHOP)
    page = urlsplit(settings.payment_url)
    return page._replace(query="&".join(filter(None, (page.query, urlencode(query))))).geturl()


def _check_currency(settings: Settings, currency: str, field: str) -> None:
    if currency and currency.upper() != settings.currency.upper():
        raise BadInput(f"{currency!a} is not the wallet's currency, {settings.currency}", field=field)


def _span_of(month: str) -> tuple[datetime, datetime]:
    found = _MONTH.fullmatch(month)
    if not found or not 1970 <= int(found[1]) < 9999:
        raise BadInput(f"month is {month!a}; it looks like 2026-01", field="month")
    since = datetime(int(found[1]), int(found[2]), 1, tzinfo=UTC)
    return since, (since + timedelta(days=31)).replace(day=1)
