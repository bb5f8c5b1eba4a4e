"""Balance, transactions, prices and coupons."""

from decimal import Decimal

from gridloom.client.answers.base import Page
from gridloom.client.answers.wallet import Balance, Coupon, ExchangeRate, Rates, TopUp, Transaction, Usage
from gridloom.client.calls.jobs import Filter, filtered
from gridloom.client.calls.paths import call, fetch, fetch_page, given, paging
from gridloom.client.steps import Json, Talk

_WALLET = "/v1/wallet"


def balance() -> Talk[Balance]:
    """Return what the caller has."""
    return (yield from fetch(Balance, f"{_WALLET}/balance"))


def transactions(*, limit: int = 100, offset: int = 0) -> Talk[Page[Transaction]]:
    """Return one page of the caller's transactions, the newest first."""
    return (yield from fetch_page(Transaction, f"{_WALLET}/transactions", paging(limit, offset)))


def filter_transactions(
    *filters: Filter, limit: int = 100, offset: int = 0, order_by: str = ""
) -> Talk[Page[Transaction]]:
    """Return one page of the transactions that meet every condition."""
    body = filtered(filters, limit, offset, order_by)
    answer = yield from call("POST", f"{_WALLET}/transactions/filter", body=body, repeatable=True)
    return Page.of(Transaction, answer, "data")


def transactions_csv() -> Talk[str]:
    """Return all transactions as CSV."""
    answer = yield from call("GET", f"{_WALLET}/transactions/csv")
    return str(answer.get("csv") or "")


def exchange_rate(currency: str = "", currency_amount: Decimal | None = None) -> Talk[ExchangeRate]:
    """Return how many ByteChips an amount of a currency is."""
    amount = None if currency_amount is None else str(currency_amount)
    query = given(currency=currency, currencyAmount=amount)
    return (yield from fetch(ExchangeRate, f"{_WALLET}/exchange_rate", query=query))


def redeem(coupon_code: str) -> Talk[Coupon]:
    """Redeem a promo code."""
    body: Json = {"couponCode": coupon_code}
    return Coupon((yield from call("POST", f"{_WALLET}/redeem_coupon", body=body)))


def rates() -> Talk[Rates]:
    """Return the price list."""
    return (yield from fetch(Rates, f"{_WALLET}/rates"))


def usage(month: str = "", *, template_id: str = "") -> Talk[Usage]:
    """Return what a month (`2026-01`) cost, of one template or of all; the present one by default."""
    return (yield from fetch(Usage, f"{_WALLET}/usage", query=given(month=month, templateId=template_id)))


def top_up(amount: Decimal, *, currency: str = "", currency_amount: Decimal | None = None) -> Talk[TopUp]:
    """Buy ByteChips."""
    paid = None if currency_amount is None else str(currency_amount)
    body = {"amount": str(amount)} | given(currency=currency, currencyAmount=paid)
    return TopUp((yield from call("POST", f"{_WALLET}/top_up", body=body)))


def customer_portal() -> Talk[str]:
    """Return the link to the payment portal."""
    answer = yield from call("GET", f"{_WALLET}/customer_portal")
    return str(answer.get("url") or "")
