import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gridloom.lenient_json import parse

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])),
    lambda inner: (
        st.lists(inner)
        | st.dictionaries(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])), inner)
    ),
    max_leaves=10,
)


@given(JSON)
def test_json_is_read_as_it_is(value):
    assert parse(json.dumps(value)) == value
    assert parse(json.dumps(value, ensure_ascii=False).encode()) == value


def test_trailing_commas_and_a_byte_order_mark_are_forgiven():
    assert parse(b'\xef\xbb\xbf{"a": [1, 2,], "b": ",]",\n}') == {"a": [1, 2], "b": ",]"}


def test_trailing_commas_can_be_refused():
    with pytest.raises(ValueError, match="line 1"):
        parse("[1,]", trailing_commas=False)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[1,,2]",
        '"\\u0000"',
        '{"\\ud800": 1}',
        "NaN",
        "[-Infinity]",
        "1e999",
        "[" * 100_000,
        b"\xff",
    ],
)
def test_what_no_database_can_hold_is_refused(text):
    with pytest.raises(ValueError, match=r"\S"):
        parse(text)


def test_strings_that_never_end_are_read_once():
    with pytest.raises(ValueError, match="Extra data"):
        parse("[1,] " + '\\"' * 200_000 + "\\")
