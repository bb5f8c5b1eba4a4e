"""Tests of amounts."""

from decimal import Decimal

import pytest
import typer
from hypothesis import given
from hypothesis import strategies as st

from cli.amounts import amount_of, decimal


@given(st.decimals(allow_nan=False, allow_infinity=False, places=8, min_value=-(10**12), max_value=10**12))
def test_what_is_shown_reads_back_and_has_no_exponent(value):
    assert decimal(amount_of(value)) == value
    assert "E" not in amount_of(value).upper()


def test_small_floats_have_no_exponent_either():
    assert amount_of(6.89e-06) == "0.00000689"


@pytest.mark.parametrize("text", ["", "ten", "nan", "inf", "1,5"])
def test_what_is_no_amount_is_wrong_usage(text):
    with pytest.raises(typer.BadParameter):
        decimal(text)
    assert decimal("1.5") == Decimal("1.5")
