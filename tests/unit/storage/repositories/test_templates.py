import pytest

from gridloom.templates import template_of
from storage.repositories import accounts, templates
from storage.spans import Span
from tests.fixtures.vault import a_vault


@pytest.fixture
def ada(connection):
    return accounts.create_account(connection, "ada")


@pytest.fixture
def bob(connection):
    return accounts.create_account(connection, "bob")


def test_saving_again_replaces_and_keeps_the_time_of_creation(connection, ada):
    templates.save(connection, a_vault(), ada, template_of({"id": "t", "app": "a"}))
    first = templates.find(connection, ada, "t")
    templates.save(connection, a_vault(), ada, template_of({"id": "t", "app": "b", "isPublic": True}))
    second = templates.find(connection, ada, "t")
    assert (second.template.app, second.is_public, second.created_at) == ("b", True, first.created_at)
    assert second.updated_at >= first.updated_at


def test_own_goes_before_public_and_private_ones_of_others_do_not_exist(connection, ada, bob):
    templates.save(connection, a_vault(), bob, template_of({"id": "t", "app": "bobs"}))
    assert templates.find(connection, ada, "t") is None
    templates.save(connection, a_vault(), bob, template_of({"id": "t", "app": "bobs", "isPublic": True}))
    assert templates.find(connection, ada, "t").template.app == "bobs"
    templates.save(connection, a_vault(), ada, template_of({"id": "t", "app": "adas"}))
    assert templates.find(connection, ada, "t").template.app == "adas"


def test_a_template_is_found_by_its_app(connection, ada, bob):
    templates.save(connection, a_vault(), ada, template_of({"id": "t", "app": "hello@1"}))
    assert templates.find_by_app(connection, ada, ["hello", "hello@1"]).template.id == "t"
    assert templates.find_by_app(connection, ada, ["hello"]) is None
    assert templates.find_by_app(connection, bob, ["hello@1"]) is None


def test_only_the_owner_can_remove_it(connection, ada, bob):
    templates.save(connection, a_vault(), ada, template_of({"id": "t", "isPublic": True}))
    assert not templates.remove(connection, bob, "t")
    assert templates.remove(connection, ada, "t")
    assert not templates.remove(connection, ada, "t")


def test_a_list_holds_ones_own_or_all_public_ones(connection, ada, bob):
    for owner_id, name, public in ((ada, "a", False), (bob, "b", True), (bob, "c", False)):
        templates.save(connection, a_vault(), owner_id, template_of({"id": name, "isPublic": public}))
    span = Span(limit=10, order_by="id", descending=False)
    for public, names in ((False, ["a"]), (True, ["b"])):
        rows, total = templates.listed(connection, ada, public=public, span=span)
        assert ([row.template.id for row in rows], total) == (names, 1)


def test_saving_again_keeps_a_template_public_unless_it_says_otherwise(connection, ada, bob):
    templates.save(connection, a_vault(), ada, template_of({"id": "t"}))
    assert not templates.find(connection, ada, "t").is_public
    assert templates.set_public(connection, ada, "t", public=True)
    assert not templates.set_public(connection, bob, "t", public=False)
    templates.save(connection, a_vault(), ada, template_of({"id": "t", "app": "b"}))
    assert templates.find(connection, bob, "t").template.app == "b"
    templates.save(connection, a_vault(), ada, template_of({"id": "t", "isPublic": False}))
    assert templates.find(connection, bob, "t") is None


def test_others_are_shown_no_credentials_and_names_of_secrets(connection, ada, bob):
    params = {"bucketName": "b", "secret_id": "k", "accessKey": "a", "secretKey": "s", "username": "u"}
    source = {"dataSourceDescriptor": "s3", "params": params}
    templates.save(
        connection, a_vault(), ada, template_of({"id": "t", "isPublic": True, "dataSource": source})
    )
    assert templates.find(connection, ada, "t").template.data_source.params == {
        name: value for name, value in params.items() if name != "secretKey"
    }
    for row in (
        templates.find(connection, bob, "t"),
        templates.find_by_app(connection, bob, [""]),
        templates.listed(connection, bob, public=True, span=Span(limit=1))[0][0],
        templates.published(connection, bob, "t"),
    ):
        assert row.template.data_source.params == {"bucketName": "b"}


def test_published_is_what_others_made_public(connection, ada, bob):
    for owner_id, public in ((ada, True), (bob, False)):
        templates.save(connection, a_vault(), owner_id, template_of({"id": "t", "isPublic": public}))
    assert templates.published(connection, bob, "t").user_name == "ada"
    assert templates.published(connection, bob, "t", "bob") is None
    assert templates.published(connection, ada, "t") is None
    assert templates.published(connection, ada, "t", "ada").user_name == "ada"
    assert templates.owns(connection, bob, "t")
    assert not templates.owns(connection, bob, "x")
