"""Secrets belong to their owner, and what seals them belongs to their row."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import insert, select, update

from gridloom.errors import BadInput, SealBroken, VaultLocked
from storage.repositories import secrets
from storage.repositories.secrets import NewSecret
from storage.tables import secrets as table
from storage.vault import Vault
from tests.fixtures.vault import a_vault

PAST = datetime(2020, 1, 1, tzinfo=UTC)


@pytest.fixture
def vault():
    return a_vault()


@pytest.fixture
def save(fabric, vault):
    def saved(secret_id="s3-secret", given_type="s3", owner="ada", most=10, **changes):
        values = {"secret_key": "swordfish", "access_key": "AKIA"} | changes
        new = NewSecret(owner_id=fabric.owner(owner), id=secret_id, given_type=given_type, **values)
        fabric.write(secrets.save, vault, new, most)
        return new

    return saved


def test_a_secret_is_listed_as_it_was_given_and_never_shows_its_key(fabric, save):
    later = datetime.now(UTC) + timedelta(days=1)
    new = save(name="mine", params={"a": "b"}, expires_at=later)
    (row,) = fabric.write(secrets.listed, fabric.owner())
    assert (row.id, row.given_type, row.secret_type, row.name) == ("s3-secret", "s3", "aws", "mine")
    assert (row.access_key, row.params, row.expires_at, row.version) == ("AKIA", {"a": "b"}, later, 1)
    assert "swordfish" not in repr(row) + repr(new)
    assert b"swordfish" not in row.sealed.envelope


def test_saving_again_replaces_and_counts(fabric, save, vault):
    save()
    save(given_type="aws", secret_key="new", access_key="")
    (row,) = fabric.write(secrets.listed, fabric.owner())
    assert (row.version, row.given_type, row.access_key) == (2, "aws", "")
    assert secrets.opened(vault, row).secret_key == "new"


def test_lists_are_ones_own_and_by_type(fabric, save):
    for secret_id, given_type in (("b", "s3"), ("a", "aws"), ("c", "gcp"), ("a", "other")):
        save(secret_id, given_type)
    save("theirs", owner="bob")

    def ids(*args):
        return [(row.id, row.given_type) for row in fabric.write(secrets.listed, fabric.owner(), *args)]

    assert ids() == [("a", "aws"), ("a", "other"), ("b", "s3"), ("c", "gcp")]
    assert ids("aws") == ids("s3") == [("a", "aws"), ("b", "s3")]
    assert ids("storj") == []


def test_removal_takes_either_spelling_and_ones_own_only(fabric, save):
    save()
    for owner, given_type, secret_id in (
        ("bob", "s3", "s3-secret"),
        ("ada", "gcp", "s3-secret"),
        ("ada", "s3", "x"),
        ("ada", "?", "s3-secret"),
    ):
        assert not fabric.write(secrets.remove, fabric.owner(owner), given_type, secret_id)
    assert fabric.write(secrets.remove, fabric.owner(), "aws", "s3-secret")
    assert fabric.write(secrets.listed, fabric.owner()) == []


def test_an_account_keeps_so_many_and_may_still_replace(fabric, save):
    save("a", most=1)
    save("a", most=1)
    with pytest.raises(BadInput, match="1 secrets"):
        save("b", most=1)
    save("b", owner="bob", most=1)


def test_without_a_master_key_nothing_is_saved(fabric, vault):
    new = NewSecret(owner_id=fabric.owner(), id="a", given_type="gcp", secret_key="k")
    with pytest.raises(VaultLocked):
        fabric.write(secrets.save, Vault(), new, 10)
    assert fabric.write(secrets.listed, fabric.owner()) == []


def test_named_secrets_come_in_order_and_once(fabric, save):
    save("a")
    save("b", "other")
    found = fabric.write(secrets.named, fabric.owner(), ["b", "a", "b"])
    assert [row.id for row in found] == ["b", "a"]
    assert fabric.write(secrets.named, fabric.owner(), ()) == []


def test_a_named_secret_that_can_not_be_used_is_told_why(fabric, save):
    save("theirs", owner="bob")
    save("old", expires_at=PAST)
    save("two", "s3")
    save("two", "gcp")
    for secret_id, why in (
        ("none", "'none' does not exist"),
        ("theirs", "'theirs' does not exist"),
        ("old", "'old' expired on 2020-01-01 00:00 UTC"),
        ("two", "'two' is ambiguous: there is one of type gcp and s3"),
    ):
        with pytest.raises(BadInput, match=why):
            fabric.write(secrets.named, fabric.owner(), [secret_id])


def test_credentials_are_opened_for_their_owner_type_and_time(fabric, save, vault):
    save(params={"endpoint": "e"})
    save("old", expires_at=PAST)

    def opened(owner, secret_id, secret_type):
        return fabric.write(secrets.open_credentials, vault, fabric.owner(owner), secret_id, secret_type)

    found = opened("ada", "s3-secret", "aws")
    assert (found.access_key, found.secret_key, found.params) == ("AKIA", "swordfish", {"endpoint": "e"})
    assert "swordfish" not in repr(found)
    for asked, why in (
        (("bob", "s3-secret", "s3"), "no secret 's3-secret' of type s3$"),
        (("ada", "s3-secret", "gcp"), "of type gcp; the one of that id is of type s3"),
        (("ada", "old", "s3"), "expired"),
    ):
        with pytest.raises(BadInput, match=why):
            opened(*asked)


@pytest.mark.parametrize("change", ["owner_id", "id", "secret_type", "version"])
def test_a_ciphertext_that_was_copied_elsewhere_stays_shut(fabric, save, vault, change):
    save()
    other = {"owner_id": fabric.owner("bob"), "id": "copy", "secret_type": "gcp", "version": 7}

    def swap(connection):
        row = dict(connection.execute(select(table)).mappings().one())
        if change == "version":
            connection.execute(update(table).values(version=7))
        else:
            connection.execute(insert(table).values(row | {change: other[change]}))

    fabric.write(swap)
    rows = fabric.write(secrets.listed, fabric.owner()) + fabric.write(secrets.listed, fabric.owner("bob"))
    moved = next(row for row in rows if getattr(row, change) == other[change])
    with pytest.raises(SealBroken):
        secrets.opened(vault, moved)
