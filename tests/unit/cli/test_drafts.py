"""Tests of how parameters and settings are read."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cli.drafts import read_config, read_params
from gridloom.errors import BadInput


def test_values_that_are_json_count_as_such():
    pairs = [
        "app.case=upper",
        "app.n=3",
        "app.deep.key=[1]",
        "partitioner.on=true",
        "assembler.text=a=b",
        "app.empty=",
    ]
    assert read_params(pairs) == {
        "app": {"case": "upper", "n": 3, "deep.key": [1], "empty": ""},
        "partitioner": {"on": True},
        "assembler": {"text": "a=b"},
    }


@pytest.mark.parametrize("pair", ["", "app", "app.x", "case=upper", "app.=1", "other.x=1", "=1"])
def test_a_pair_of_another_form_is_refused(pair):
    with pytest.raises(BadInput, match="--param"):
        read_params([pair])


@given(st.text(st.characters(exclude_characters="=", codec="utf-8"), min_size=1), st.text())
def test_any_key_and_text_can_be_given(key, value):
    assert list(read_params([f"app.{key}={value}"])["app"]) == [key]


def test_settings_have_either_spelling():
    assert read_config(["task_timeout=60", "jobTimeout=5", "MAX_TASK_RETRIES=2", "isTestJob=true"]) == {
        "taskTimeout": 60, "jobTimeout": 5, "maxTaskRetries": 2, "isTestJob": True,
    }  # fmt: skip


@pytest.mark.parametrize("pair", ["", "task_timeout", "speed=3"])
def test_an_unknown_setting_is_refused(pair):
    with pytest.raises(BadInput, match="taskTimeout=VALUE"):
        read_config([pair])
