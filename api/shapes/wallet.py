"""Shapes of the wallet: amounts are numbers of ByteChips with up to 8 decimals."""

import datetime as dt
from typing import Annotated, Literal

from pydantic import Field

from api.shapes.base import Int64Text, Moment, PaginatedResponse, Shape
from storage.repositories.wallet import Kind

Amount = Annotated[float, Field(allow_inf_nan=False)]
"""Chips as a client writes them, a number or its text; read by `gridloom.money.parse`."""


class BalanceResponse(Shape):
    """What an account has; `available_balance` is that without what live jobs may yet cost."""

    account_id: str
    total_balance: float
    available_balance: float
    amount_due: float


class OldBalance(Shape):
    """The older shape of the balance."""

    account_id: str
    total_balance: str
    available_balance: str


class RelatedEntity(Shape):
    """What a transaction is about: a job, a coupon."""

    type: str = ""
    id: str = ""
    name: str = ""


class RelatedEntityData(RelatedEntity):
    """The same with what else is known of it."""

    job_name: str = ""
    job_id: str = ""
    description: str = ""
    currency: str = ""
    currency_amount: float = 0
    exchange_rate: float = 0
    coupon_code: str = ""
    job_template: str = ""


class Transaction(Shape):
    """Chips that went from one account to another, and the caller's balance after it."""

    id: str
    created_at: dt.datetime
    account_from: str
    account_to: str
    amount: float
    transaction_type: Kind
    related_entity: RelatedEntity
    notes: str
    transaction_data: str
    hash: str
    related_entity_data: RelatedEntityData
    description: str
    balance: float


class TransactionListResponse(Shape):
    """One page of transactions."""

    pagination: PaginatedResponse
    data: list[Transaction]


class CsvResponse(Shape):
    """A table as text."""

    csv: str


class ExchangeResponse(Shape):
    """What an amount of currency is worth; `exchange_rate` is the price of a chip."""

    currency: str
    currency_amount: float
    exchange_rate: float
    amount: float


class RedeemRequest(Shape):
    """A coupon's code."""

    coupon_code: str = Field(min_length=1, max_length=100)


class RedeemResponse(Shape):
    """The coupon that was redeemed."""

    id: str
    code: str
    amount: str


class Rate(Shape):
    """What an hour of a machine's part costs."""

    name: str
    type: Literal["cpu", "memory", "gpu"]
    unit: Literal["hour"] = "hour"
    rate: float


class RatesResponse(Shape):
    """The price list; `gpus` are the names by which manifests ask for GPUs."""

    rates: list[Rate]
    gpus: list[str]


class UsageItem(Shape):
    """What the jobs of a template cost on a day."""

    date: dt.date
    template_id: str
    job_id: str = ""
    amount: float


class UsageResponse(Shape):
    """What a month cost."""

    total: float
    data: list[UsageItem]


class TopUpRequest(Shape):
    """How many chips to buy."""

    amount: Amount = 0
    currency: str = Field("", max_length=3)
    currency_amount: Amount = Field(0, ge=0, le=1e9)


class PageLinkResponse(Shape):
    """A page to open."""

    url: str
    transaction: Transaction | None = None


class Estimation(Shape):
    """What a job is likely to cost: whole chips, and `amount` exactly, for so many tasks."""

    total_estimation: Int64Text
    num_units_estimation: Int64Text
    amount: float


class EstimationResponse(Shape):
    """What a job is likely to cost."""

    estimation: Estimation


class CouponRequest(Shape):
    """A new coupon."""

    code: str = Field(pattern=r"^[\x21-\x7e]{1,100}$")
    amount: Amount
    uses: int = Field(1, ge=1, le=1_000_000)
    expires_at: Moment | None = None


class Coupon(Shape):
    """A coupon: `uses` accounts may redeem it, `used` have."""

    id: str
    code: str
    amount: float
    uses: int
    used: int
    created_at: dt.datetime
    expires_at: dt.datetime | None


class CouponListResponse(Shape):
    """One page of coupons."""

    pagination: PaginatedResponse
    data: list[Coupon]


class GrantRequest(Shape):
    """Chips for an account, named by its id or its user; a `reference` is granted only once."""

    account_id: str = Field("", max_length=36)
    user_name: str = Field("", max_length=200)
    amount: Amount
    description: str = Field("User Top-Up", max_length=200)
    notes: str = Field("", max_length=1000)
    reference: str = Field("", max_length=100)
    currency: str = Field("", max_length=3)
    currency_amount: Amount = Field(0, ge=0, le=1e9)
