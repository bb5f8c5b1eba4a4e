"""Which keys are of a pattern."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from storage.sources.patterns import Pattern, is_pattern


@pytest.mark.parametrize(
    ("pattern", "matching", "others"),
    [
        (
            "logs/*.txt",
            ["logs/a.txt", "logs/.txt"],
            ["logs/a/b.txt", "logs/a.TXT", "logs/a.txt/", "x/logs/a.txt"],
        ),
        ("logs/2024-??/x", ["logs/2024-01/x"], ["logs/2024-1/x", "logs/2024-0//x"]),
        ("a/**/x", ["a/x", "a/b/x", "a/b/c/x"], ["a/bx", "b/a/x", "a/b/x/y"]),
        ("**/x/**", ["x/a", "a/x/b", "a/b/x/c/d"], ["y/a"]),
        ("a/**", ["a/b", "a/b/c"], ["ab"]),
        ("a/**/**/*.c", ["a/b.c", "a/b/c/d.c"], ["a/b.h"]),
        ("[ab][!c].x", ["ad.x", "b\n.x"], ["ac.x", "cd.x", "a/.x"]),
        ("a[", ["a["], ["a", "ab"]),
        ("a+(b)*", ["a+(b)", "a+(b)c"], ["aab"]),
    ],
)
def test_wildcards_mean_what_shells_take_them_for(
    pattern: str, matching: list[str], others: list[str]
) -> None:
    compiled = Pattern(pattern)
    assert [key for key in matching + others if compiled.matches(key)] == matching


def test_what_comes_before_the_first_wildcard_bounds_the_listing() -> None:
    pattern = Pattern("logs/2024-*/x[1]")
    assert (pattern.prefix, pattern.folder) == ("logs/2024-", "logs/")
    assert (Pattern("*").prefix, Pattern("*").folder) == ("", "")
    assert is_pattern("a?")
    assert not is_pattern("a]")


@given(st.text("ab/*?[]!-", max_size=12), st.text("ab/", max_size=12))
def test_every_pattern_can_be_read(pattern: str, key: str) -> None:
    Pattern(pattern).matches(key)


def test_no_pattern_takes_for_ever() -> None:
    began = time.monotonic()
    assert not Pattern("*a" * 500 + "*b").matches("a" * 1000)
    assert not Pattern("**/a/" * 200 + "b").matches("a/" * 500 + "c")
    assert time.monotonic() - began < 2
