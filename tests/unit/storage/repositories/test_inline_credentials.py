"""Sealed secrets of sources and destinations: for their owner and end alone, replaced, copied, deleted."""

import pytest
from sqlalchemy import select, update

from gridloom.errors import SealBroken, VaultLocked
from gridloom.templates import template_of
from storage.repositories import templates
from storage.repositories.inline_credentials import Holder, duplicate, forget, keep, whole
from storage.tables import inline_credentials as table
from storage.vault import Vault
from tests.fixtures.vault import NEW, a_vault

HUSH = [(("auth", "password"), "hush")]
PARAMS = {"auth": {"username": "u"}}
WHOLE = {"auth": {"username": "u", "password": "hush"}}


@pytest.fixture
def holder(fabric):
    return Holder(owner_id=fabric.owner(), kind="job", id="j")


def opened(fabric, holder, end="data_source", vault=None):
    return fabric.write(whole, vault or a_vault(), holder, end, PARAMS)


def rows(fabric):
    return fabric.write(lambda connection: connection.execute(select(table)).all())


def test_the_secrets_come_back_into_the_params_of_their_end(fabric, holder):
    fabric.write(keep, a_vault(), holder, "data_source", HUSH)
    assert opened(fabric, holder) == WHOLE
    assert opened(fabric, holder, "data_destination") == PARAMS == {"auth": {"username": "u"}}
    assert b"hush" not in rows(fabric)[0].sealed


def test_new_ones_replace_and_none_delete(fabric, holder):
    fabric.write(keep, a_vault(), holder, "data_source", HUSH)
    fabric.write(keep, a_vault(), holder, "data_source", [(("secretKey",), "new")])
    assert opened(fabric, holder) == PARAMS | {"secretKey": "new"}
    fabric.write(keep, Vault(), holder, "data_source", [])
    assert rows(fabric) == []


def test_a_copy_opens_and_outlives_its_origin(fabric, holder):
    fabric.write(keep, a_vault(), holder, "data_source", HUSH)
    fabric.write(duplicate, holder, "copy")
    fabric.write(forget, holder)
    assert opened(fabric, holder) == PARAMS
    assert opened(fabric, Holder(owner_id=holder.owner_id, kind="job", id="copy")) == WHOLE


@pytest.mark.parametrize("moved", ["owner", "end"])
def test_an_envelope_opens_nowhere_else(fabric, holder, moved):
    fabric.write(keep, a_vault(), holder, "data_source", HUSH)
    other, end = Holder(owner_id=fabric.owner("bob"), kind="job", id="j"), "data_destination"
    values = {"owner_id": other.owner_id} if moved == "owner" else {"place": end}
    fabric.write(lambda connection: connection.execute(update(table).values(**values)))
    with pytest.raises(SealBroken):
        opened(fabric, *((other,) if moved == "owner" else (holder, end)))


def test_without_the_master_key_nothing_is_kept_or_opened(fabric, holder):
    with pytest.raises(VaultLocked):
        fabric.write(keep, Vault(), holder, "data_source", HUSH)
    fabric.write(keep, a_vault(), holder, "data_source", HUSH)
    with pytest.raises(VaultLocked):
        opened(fabric, holder, vault=a_vault(NEW))
    assert opened(fabric, holder, "data_destination", Vault()) == PARAMS


def saved(fabric, source, **members):
    template = template_of(
        {"id": "t", "dataSource": source and {"dataSourceDescriptor": "s3", "params": source}} | members
    )
    fabric.write(templates.save, a_vault(), fabric.owner(), template)
    holder = templates.holder_of(fabric.owner(), "t")
    found = fabric.write(templates.find, fabric.owner(), "t").template.data_source
    return found and fabric.write(whole, a_vault(), holder, "data_source", found.params)


FULL = {"bucketName": "b", "accessKey": "AK", "secretKey": "hush"}


@pytest.mark.parametrize(
    "again", [{"bucketName": "b"}, {"bucketName": "b", "accessKey": "AK", "secretKey": ""}]
)
def test_a_template_that_comes_as_it_is_shown_keeps_its_secrets(fabric, again):
    saved(fabric, FULL)
    assert saved(fabric, again, description="new") == FULL


@pytest.mark.parametrize(
    "again",
    [
        {"bucketName": "c"},
        {"bucketName": "b", "accessKey": "other"},
        None,
        {"bucketName": "b", "secretKey": "x"},
    ],
)
def test_a_template_that_changes_has_the_secrets_that_it_brings(fabric, again):
    saved(fabric, FULL)
    assert saved(fabric, again) == again
    assert len(rows(fabric)) == (again is not None and "secretKey" in again)


def test_a_template_takes_its_secrets_along(fabric):
    saved(fabric, FULL)
    fabric.write(templates.remove, fabric.owner(), "t")
    assert rows(fabric) == []
    assert saved(fabric, {"bucketName": "b"}) == {"bucketName": "b"}


def test_nobody_else_is_given_a_row(fabric):
    saved(fabric, FULL, isPublic=True)
    others = templates.holder_of(fabric.owner("bob"), "t")
    assert fabric.write(whole, a_vault(), others, "data_source", PARAMS) == PARAMS
