"""What is sealed opens in its place alone."""

import base64
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gridloom.errors import SealBroken, SetupFailed, VaultLocked
from storage.vault import Sealed, Vault
from tests.fixtures.vault import NEW, OLD, a_vault

HERE = ("owner", "aws", "id", 1)


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_what_was_sealed_opens_again(value):
    vault = a_vault()
    assert vault.open(vault.seal(value, HERE), HERE) == value


@pytest.mark.parametrize(
    "elsewhere",
    [
        ("other", "aws", "id", 1),
        ("owner", "gcp", "id", 1),
        ("owner", "aws", "di", 1),
        ("owner", "aws", "id", 2),
        ("owner", "aws", "id", "1"),
        ("owner", "aws", "id"),
        ("owner,aws", "id", 1),
    ],
)
def test_a_moved_envelope_stays_shut(elsewhere):
    vault = a_vault()
    sealed = vault.seal("swordfish", HERE)
    for attempt in (vault.open, vault.rewrap):
        with pytest.raises(SealBroken):
            attempt(sealed, elsewhere)


@pytest.mark.parametrize("place", [0, 1, 12, 13, 30, 60, 61, 72, 73, -17, -1])
def test_a_changed_envelope_stays_shut(place):
    vault = a_vault()
    sealed = vault.seal("swordfish", HERE)
    changed = bytearray(sealed.envelope)
    changed[place] ^= 1
    with pytest.raises(SealBroken):
        vault.open(Sealed(envelope=bytes(changed), master_id=sealed.master_id), HERE)


@pytest.mark.parametrize("length", [0, 1, 20, 61, 80])
def test_a_cut_envelope_stays_shut(length):
    vault = a_vault()
    sealed = vault.seal("swordfish", HERE)
    with pytest.raises(SealBroken):
        vault.open(Sealed(envelope=sealed.envelope[:length], master_id=sealed.master_id), HERE)


def test_equal_values_have_unequal_envelopes_that_show_nothing():
    vault = a_vault()
    first, second = vault.seal("swordfish", HERE), vault.seal("swordfish", HERE)
    assert first.envelope[1:] != second.envelope[1:]
    assert b"swordfish" not in first.envelope
    assert str(first.envelope) not in repr(first)


def test_the_newest_key_seals_and_all_open():
    old = a_vault(OLD).seal("swordfish", HERE)
    both = a_vault(NEW, OLD)
    assert both.open(old, HERE) == "swordfish"
    assert both.seal("x", HERE).master_id == "new"
    again = both.rewrap(old, HERE)
    assert again.master_id == "new"
    assert a_vault(NEW).open(again, HERE) == "swordfish"
    with pytest.raises(VaultLocked, match="'old' is missing"):
        a_vault(NEW).open(old, HERE)


def test_another_key_under_the_same_id_opens_nothing():
    sealed = a_vault(OLD).seal("swordfish", HERE)
    other = Vault("old:" + base64.b64encode(b"x" * 32).decode())
    with pytest.raises(SealBroken):
        other.open(sealed, HERE)


def test_without_a_key_nothing_is_sealed():
    with pytest.raises(VaultLocked, match="GRIDLOOM_MASTER_KEY_FILE"):
        Vault().seal("swordfish", HERE)


def test_a_changed_key_file_is_read_again(tmp_path):
    file = tmp_path / "master.key"
    file.write_text(OLD)
    vault = Vault("", file)
    sealed = vault.seal("swordfish", HERE)
    draft = tmp_path / "draft"
    draft.write_text(f"{NEW}\n{OLD}")
    draft.replace(file)
    assert vault.newest().id == "new"
    assert vault.open(sealed, HERE) == "swordfish"


def test_a_key_file_that_breaks_later_leaves_the_keys_that_were_read(tmp_path):
    file = tmp_path / "master.key"
    file.write_text(OLD)
    vault = Vault("", file)
    for broken in (b"nonsense", b"\xff\xfe"):
        file.write_bytes(broken)
        os.utime(file, ns=(0, len(broken)))
        assert vault.newest().id == "old"
    file.unlink()
    assert vault.newest().id == "old"


@pytest.mark.parametrize("content", [None, b"nonsense", b"\xff\xfe"])
def test_a_key_file_that_is_broken_at_the_start_is_an_error(tmp_path, content):
    file = tmp_path / "master.key"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(SetupFailed, match=r"master\.key"):
        Vault("", file)
