"""Proposed file names become the name of one plain file."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gridloom.file_names import safe_file_name


@pytest.mark.parametrize(
    ("proposed", "name"),
    [
        ("book.txt", "book.txt"),
        ("/data/my book (1).txt", "my book (1).txt"),
        ("C:\\Users\\me\\book.txt", "book.txt"),
        ("../../etc/passwd", "passwd"),
        ("résumé.pdf", "résumé.pdf"),
        ("a\x00b\n\u202ec.txt", "abc.txt"),
        ("", "data.bin"),
        ("folder/", "data.bin"),
        ("..", "data.bin"),
        (" . ", "data.bin"),
        (".env", ".env"),
        ("é" * 300 + ".txt", "é" * 98 + ".txt"),
        ("x" * 300, "x" * 200),
    ],
)
def test_a_proposed_name_becomes_a_base_name(proposed: str, name: str) -> None:
    assert safe_file_name(proposed) == name


@given(st.text(max_size=300))
def test_every_name_is_one_plain_part(proposed: str) -> None:
    name = safe_file_name(proposed)
    assert name not in ("", ".", "..")
    assert "/" not in name
    assert "\x00" not in name
    assert len(name.encode()) <= 200
    assert safe_file_name(name) == name
