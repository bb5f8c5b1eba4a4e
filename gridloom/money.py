"""Amounts of ByteChips: whole numbers of 1e-8 chips, and how people and JSON write them."""

from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from gridloom.errors import BadInput

UNIT = 10**8  #: one chip
MOST = 10**9 * UNIT  #: the largest amount that one call may move

_DECIMALS = Decimal(1).scaleb(-8)


def parse(value: Any, field: str) -> int:
    """Return the amount that a number, or the text of one, of chips names; `field` is where it was written.

    Raises:
        BadInput: when it is no number, has more than 8 decimals, or is above `MOST` in either direction.
    """
    try:
        # Through its shortest text: 0.1 means a tenth, not the float that comes closest to it.
        chips = Decimal(str(value)) * UNIT
    except ArithmeticError:
        raise BadInput(f"{field}: {value!a} is not an amount", field=field) from None
    if isinstance(value, bool) or not chips.is_finite() or abs(chips) > MOST:
        raise BadInput(f"{field} must be a number up to {MOST // UNIT} ByteChips", field=field)
    if chips != chips.to_integral_value():
        raise BadInput(f"{field}: ByteChips have at most 8 decimals", field=field)
    return int(chips)


def to_number(amount: int) -> float:
    """Return an amount as JSON carries it: chips, as the float that prints as its decimals."""
    return amount / UNIT


def to_text(amount: int) -> str:
    """Return an amount in chips with all its 8 decimals."""
    return f"{Decimal(amount) * _DECIMALS:.8f}"


def rounded(chips: Decimal) -> int:
    """Return the amount of a number of chips, rounded half up."""
    return int((chips * UNIT).to_integral_value(ROUND_HALF_UP))


def divided(amount: int, by: int) -> int:
    """Return an amount, not negative, divided by a positive number, rounded half up."""
    return (2 * amount + by) // (2 * by)
