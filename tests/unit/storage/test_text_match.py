import pytest

from storage.text_match import pattern_of


@pytest.mark.parametrize(
    ("text", "pattern"),
    [
        ("ab", "%ab%"),
        ("a_b", "%a_b%"),
        ("a%", "a%"),
        ("", "%%"),
        (r"100\%", r"%100\%%"),
        ("a\\b", r"%a\\b%"),
        ("a\\", r"%a\\%"),
        (r"a\\%", r"a\\%"),
    ],
)
def test_a_text_becomes_the_pattern_that_a_client_means(text: str, pattern: str) -> None:
    assert pattern_of(text) == pattern
