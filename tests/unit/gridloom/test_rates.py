"""What a task costs: hours times the larger of cores, GiB and its GPU's rate."""

from datetime import timedelta
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from gridloom.devices import Capacity, Needs
from gridloom.money import UNIT
from gridloom.rates import RateCard, price_of, rate_card
from gridloom.settings import Settings

CARD = rate_card("Tesla T4=8, NVIDIA A100-SXM4-40GB=30.5")


def hourly(machine=None, **needs):
    return CARD.hourly(Needs(**needs), machine) / UNIT


def test_one_chip_pays_for_an_hour_of_a_core_with_a_gib():
    assert price_of(timedelta(hours=1), CARD.hourly(Needs(cores=1, memory_mib=1024))) == UNIT


def test_the_larger_of_cores_and_memory_counts():
    assert hourly(cores=16, memory_mib=32 * 1024) == 32
    assert hourly(cores=16, memory_mib=1024) == 16
    assert hourly(cores=0.5, memory_mib=512) == 0.5
    assert hourly(cores=0.1, memory_mib=1) == 0.1


def test_a_gpu_costs_its_rate_unless_the_rest_of_the_machine_costs_more():
    assert hourly(gpus=("tesla t4",)) == 8
    assert hourly(cores=9, gpus=("TESLA T4",)) == 9
    assert hourly(gpus=("unheard of",)) == 1


def test_of_several_models_the_one_that_the_machine_has_is_paid():
    both = ("nvidia a100-sxm4-40gb", "tesla t4")
    assert hourly(gpus=both) == 30.5
    assert hourly(Capacity(cores=4, memory_mib=4096, gpus=("Tesla T4",)), gpus=both) == 8
    assert (
        hourly(Capacity(cores=4, memory_mib=4096, gpus=("Tesla T4", "NVIDIA A100-SXM4-40GB")), gpus=both)
        == 30.5
    )


def test_a_task_that_was_cut_to_a_small_machine_pays_for_that():
    small = Capacity(cores=2, memory_mib=3072)
    assert hourly(small, cores=64, memory_mib=65536, gpus=("tesla t4",)) == 3


@given(st.timedeltas(timedelta(0), timedelta(days=3650)), st.integers(0, 1000 * UNIT))
def test_a_price_is_rounded_once_half_up(ran, rate):
    exact = Fraction(ran // timedelta(microseconds=1), 3_600_000_000) * rate
    assert -Fraction(1, 2) < exact - price_of(ran, rate) <= Fraction(1, 2) or (
        price_of(ran, rate) - exact == Fraction(1, 2)
    )


def test_a_clock_that_goes_backwards_costs_nothing():
    assert price_of(timedelta(seconds=-5), UNIT) == 0


def test_the_card_lists_models_in_lower_case():
    assert RateCard({"tesla t4": 8 * UNIT, "nvidia a100-sxm4-40gb": 30 * UNIT + UNIT // 2}) == CARD
    assert rate_card("") == RateCard({})


@pytest.mark.parametrize("text", ["tesla", "=3", "tesla=", "tesla=x", "tesla=-1", "a=1,b"])
def test_rates_that_say_nothing_are_refused_at_the_start(text):
    with pytest.raises(ValidationError, match="MODEL=RATE"):
        Settings(gpu_rates=text)
