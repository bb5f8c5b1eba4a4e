"""Entries of master keys."""

import base64

import pytest

from gridloom.errors import SetupFailed
from gridloom.master_keys import new_master_key, parse_master_keys
from tests.fixtures.vault import NEW, OLD


def test_the_newest_key_comes_first_whatever_lies_between():
    text = f"# made on Monday\n{NEW}\n\n  {OLD} ,\n"
    assert [(key.id, key.key) for key in parse_master_keys(text, "f")] == [
        ("new", b"n" * 32),
        ("old", b"o" * 32),
    ]
    assert [key.id for key in parse_master_keys(f"{NEW},{OLD}", "f")] == ["new", "old"]
    assert parse_master_keys("\n", "f") == ()


def test_made_keys_are_all_different_and_can_be_read():
    made = {new_master_key() for _ in range(5)}
    keys = parse_master_keys("\n".join(made), "f")
    assert len({key.id for key in keys}) == len({key.key for key in keys}) == 5


@pytest.mark.parametrize(
    "entry",
    [
        "noid",
        base64.b64encode(b"o" * 32).decode(),
        "a:" + base64.b64encode(b"o" * 31).decode(),
        "a:" + base64.b64encode(b"o" * 33).decode(),
        "a:not base64 at all",
        ":" + base64.b64encode(b"o" * 32).decode(),
        "a b:" + base64.b64encode(b"o" * 32).decode(),
        "a" * 17 + ":" + base64.b64encode(b"o" * 32).decode(),
    ],
)
def test_a_malformed_entry_is_refused_without_being_shown(entry):
    with pytest.raises(SetupFailed) as caught:
        parse_master_keys(f"{OLD}\n{entry}", "the file")
    assert caught.value.message.startswith("the file: ")
    assert entry.rpartition(":")[2] not in caught.value.message


def test_an_id_counts_once():
    with pytest.raises(SetupFailed, match="same id"):
        parse_master_keys(f"{OLD}\n{OLD}", "f")


def test_a_key_does_not_show_itself():
    assert "ooo" not in repr(parse_master_keys(OLD, "f"))
