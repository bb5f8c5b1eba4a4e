"""Amounts are whole numbers inside and decimals outside, and nothing is lost between."""

import json
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gridloom import money
from gridloom.errors import BadInput

AMOUNTS = st.integers(-money.MOST, money.MOST)


@given(AMOUNTS)
def test_text_and_amount_lead_to_each_other(amount):
    text = money.to_text(amount)
    assert money.parse(text, "amount") == amount
    assert text.rpartition(".")[2].isdigit()
    assert len(text.rpartition(".")[2]) == 8


@given(st.integers(-(10**15), 10**15))
def test_a_number_in_json_has_at_most_8_decimals_and_keeps_the_amount(amount):
    text = json.dumps(money.to_number(amount))
    assert money.parse(json.loads(text), "amount") == amount
    assert Decimal(text) == Decimal(amount) / money.UNIT


@given(st.integers(0, 10**24), st.integers(1, 10**12))
def test_division_rounds_half_up(amount, by):
    quotient = money.divided(amount, by)
    assert 2 * by * quotient - by <= 2 * amount < 2 * by * quotient + by


@pytest.mark.parametrize(
    ("value", "amount"), [(0.1, 10_000_000), ("1e-8", 1), (12, 1_200_000_000), (Decimal("-0.5"), -50_000_000)]
)
def test_numbers_and_texts_are_read_as_they_are_written(value, amount):
    assert money.parse(value, "amount") == amount


@pytest.mark.parametrize(
    "value",
    ["", "x", "1,5", None, True, [], 1e-9, "0.000000001", 1e10, "-1e10", "nan", float("inf"), "1e999999"],
)
def test_what_is_no_amount_is_refused_by_the_name_of_its_member(value):
    with pytest.raises(BadInput) as refused:
        money.parse(value, "amount")
    assert refused.value.field == "amount"


def test_chips_are_rounded_half_up():
    halves = [Decimal("0.000000005"), Decimal("0.0000000049"), Decimal("0.000000015")]
    assert [money.rounded(it) for it in halves] == [1, 0, 2]
