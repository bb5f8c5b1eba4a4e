"""Answers of the wallet API; amounts are ByteChips, exact to eight decimals."""

import datetime as dt
from decimal import Decimal
from typing import Any

from pydantic import AliasChoices, Field

from gridloom.client.answers.base import Answer

_NOTHING = Decimal(0)


class Balance(Answer):
    """What an account has: in all, not reserved, and owed."""

    account_id: str = ""
    total_balance: Decimal = _NOTHING
    available_balance: Decimal = _NOTHING
    amount_due: Decimal = _NOTHING


class Transaction(Answer):
    """One entry of the ledger; `balance` is what the account had after it."""

    id: str = ""
    created_at: dt.datetime | None = None
    transaction_type: str = ""
    description: str = ""
    amount: Decimal = _NOTHING
    balance: Decimal = _NOTHING
    account_from: str = ""
    account_to: str = ""
    hash: str = ""
    notes: str = ""
    related_entity_data: dict[str, Any] = Field({})


class ExchangeRate(Answer):
    """A currency amount in ByteChips; the rate is currency per ByteChip."""

    currency: str = ""
    currency_amount: Decimal = _NOTHING
    exchange_rate: Decimal = _NOTHING
    amount: Decimal = _NOTHING


class Coupon(Answer):
    """A promo code and what it gives."""

    id: str = ""
    code: str = Field("", validation_alias=AliasChoices("code", "couponCode"))
    amount: Decimal = _NOTHING


class Rate(Answer):
    """What one unit of a device costs."""

    name: str = ""
    type: str = ""
    unit: str = ""
    rate: Decimal = _NOTHING


class Rates(Answer):
    """The price list, and the GPU models as manifests name them."""

    rates: tuple[Rate, ...] = ()
    gpus: tuple[str, ...] = ()


class UsageItem(Answer):
    """What one job cost on one day."""

    date: dt.date | None = None
    template_id: str = ""
    job_id: str = ""
    amount: Decimal = _NOTHING


class Usage(Answer):
    """What a month cost."""

    total: Decimal = _NOTHING
    data: tuple[UsageItem, ...] = ()


class TopUp(Answer):
    """A page where ByteChips are bought, or the entry when they were booked at once."""

    url: str = ""
    transaction: Transaction | None = None
