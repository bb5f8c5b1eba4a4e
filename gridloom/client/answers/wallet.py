"""Answers of the wallet API; amounts are ByteChips, exact to eight decimals."""

import datetime as dt
from decimal import Decimal

from gridloom.client.answers.base import Answer, Member, chips, free, many, moment, one, text, whole

_NOTHING = Decimal(0)


class Balance(Answer):
    """What an account has: in all, not reserved, and owed."""

    account_id = text()
    total_balance = chips()
    available_balance = chips()
    amount_due = chips()


class Transaction(Answer):
    """One entry of the ledger; `balance` is what the account had after it."""

    id = text()
    created_at = moment()
    transaction_type = text()
    description = text()
    amount = chips()
    balance = chips()
    account_from = text()
    account_to = text()
    hash = text()
    notes = text()
    related_entity_data = free()


class ExchangeRate(Answer):
    """A currency amount in ByteChips; the rate is currency per ByteChip."""

    currency = text()
    currency_amount = chips()
    exchange_rate = chips()
    amount = chips()


class Coupon(Answer):
    """A promo code and what it gives."""

    id = text()
    code = text("", "code", "couponCode")
    amount = chips()
    uses = whole()
    used = whole()
    created_at = moment()
    expires_at = moment()


class Rate(Answer):
    """What one unit of a device costs."""

    name = text()
    type = text()
    unit = text()
    rate = chips()


class Rates(Answer):
    """The price list, and the GPU models as manifests name them."""

    rates = many(Rate)
    gpus = many(str)


class UsageItem(Answer):
    """What one job cost on one day."""

    date = Member(dt.date.fromisoformat, None)
    template_id = text()
    job_id = text()
    amount = chips()


class Usage(Answer):
    """What a month cost."""

    total = chips()
    data = many(UsageItem)


class TopUp(Answer):
    """A page where ByteChips are bought, or the entry when they were booked at once."""

    url = text()
    transaction = one(Transaction)
