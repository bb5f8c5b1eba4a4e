"""Amounts of ByteChips, as users write and read them."""

from decimal import Decimal, InvalidOperation

import typer


def decimal(text: str) -> Decimal:
    """Read an amount."""
    try:
        found = Decimal(text)
    except InvalidOperation:
        raise typer.BadParameter(f"{text!r} is no amount") from None
    if not found.is_finite():
        raise typer.BadParameter(f"{text!r} is no amount")
    return found


def amount_of(value: object) -> str:
    """Return an amount without an exponent."""
    return f"{Decimal(str(value)):f}"
