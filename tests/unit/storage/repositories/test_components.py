import threading

import pytest

from gridloom.errors import BadInput
from gridloom.ids import new_uuid
from gridloom.manifests import Manifest
from gridloom.tags import parse_tag
from storage.repositories import accounts, components
from storage.repositories.components import ANY, APPS, ENGINES, NewComponent
from storage.spans import Span
from tests.fixtures.stale import noted


@pytest.fixture
def ada(connection):
    return accounts.create_account(connection, "ada")


@pytest.fixture
def bob(connection):
    return accounts.create_account(connection, "bob")


@pytest.fixture
def save(connection):
    def saved(owner_id, name="hello", version="1.0", kind="app", **values):
        manifest = Manifest(name=name, version=version, type=kind)
        new = NewComponent(
            owner_id=owner_id, manifest=manifest, schema=None, archive_key="k", digest="d", **values
        )
        components.save(connection, new_uuid(), new)
        major, minor = (int(it) for it in version.split("."))
        return components.find(connection, owner_id, kind, name, (major, minor))

    return saved


@pytest.fixture
def resolve(connection):
    def resolved(tag, kinds, account_id, only_active=False):
        return components.resolve(connection, parse_tag(tag), kinds, account_id, only_active=only_active)

    return resolved


def test_versions_compare_as_numbers(ada, save, resolve):
    for version in ("0.9", "0.10", "0.2"):
        save(ada, version=version)
    assert resolve("hello", APPS, ada).version == "0.10"
    assert resolve("hello@0.2", APPS, ada).version == "0.2"
    assert resolve("hello@1", APPS, ada) is None


def test_saving_again_keeps_identity_and_state(ada, save, connection):
    first = save(ada)
    components.set_active(connection, first.id, active=True)
    second = save(ada)
    assert (second.id, second.created_at, second.active, second.revision) == (
        first.id,
        first.created_at,
        True,
        2,
    )


def test_a_built_in_is_overwritten_too(save):
    first = save(None, kind="partitioner", active=True)
    second = save(None, kind="partitioner", active=True, passthrough=True)
    assert (second.id, second.revision, second.passthrough) == (first.id, 2, True)
    assert second.user_name == components.BUILT_IN_USER


def test_own_goes_before_built_in_before_public(ada, bob, save, resolve):
    public = save(bob, version="3.0", kind="assembler", is_public=True)
    assert resolve("hello", ENGINES, ada).id == public.id
    built_in = save(None, version="2.0", kind="assembler", is_public=True)
    assert resolve("hello", ENGINES, ada).id == built_in.id
    own = save(ada, version="1.0", kind="assembler")
    assert resolve("hello", ENGINES, ada).id == own.id
    assert resolve("bob/hello", ENGINES, ada).id == public.id
    assert resolve("gridloom/hello", ENGINES, ada).id == built_in.id


def test_a_private_record_of_another_user_does_not_exist(ada, bob, save, resolve):
    row = save(bob)
    assert resolve("hello", APPS, ada) is None
    assert resolve("bob/hello", APPS, ada) is None
    assert resolve(row.id, APPS, ada) is None
    assert resolve(row.id, APPS, bob).id == row.id


def test_the_role_tells_two_engines_of_one_name_apart(ada, save, resolve):
    save(ada, kind="partitioner")
    save(ada, kind="assembler")
    assert resolve("hello", ("partitioner",), ada).kind == "partitioner"
    assert resolve("hello", ("assembler",), ada).kind == "assembler"


def test_an_app_goes_before_an_engine_of_the_same_name(ada, save, resolve):
    save(ada, kind="partitioner", version="9.0")
    assert resolve("hello", ANY, ada).kind == "partitioner"
    save(ada, kind="app")
    assert resolve("hello", ANY, ada).kind == "app"


def test_only_active_ones_are_candidates_for_jobs(ada, save, resolve, connection):
    old, _ = save(ada, version="1.0"), save(ada, version="2.0")
    assert resolve("hello", APPS, ada, only_active=True) is None
    components.set_active(connection, old.id, active=True)
    assert resolve("hello", APPS, ada, only_active=True).version == "1.0"


def test_a_list_holds_ones_own_or_all_public_ones(ada, bob, save, connection):
    save(ada)
    save(bob, version="2.0", is_public=True)
    save(None, version="3.0", is_public=True)

    def listed(*, public):
        span = Span(limit=10, order_by="version")
        rows, total = components.listed(connection, ada, APPS, public=public, span=span)
        assert total == len(rows)
        return [row.version for row in rows]

    assert listed(public=False) == ["1.0"]
    assert listed(public=True) == ["3.0", "2.0"]


def test_an_unknown_order_is_refused(ada, connection):
    with pytest.raises(BadInput, match="nonsense"):
        components.listed(connection, ada, APPS, public=False, span=Span(limit=1, order_by="nonsense"))


def test_a_deleted_name_is_free_for_a_new_record(ada, save, resolve, connection):
    old = save(ada, active=True, is_public=True)
    components.remove(connection, old.id)
    assert resolve("hello", APPS, ada) is None
    assert resolve(old.id, APPS, ada) is None
    assert components.count(connection, ada) == 0
    new = save(ada)
    assert (new.id != old.id, new.revision, new.active, new.is_public) == (True, 1, False, False)
    components.remove(connection, new.id)
    assert save(ada).revision == 1


def test_a_deleted_one_is_changed_no_more(ada, save, connection):
    row = save(ada)
    components.remove(connection, row.id)
    components.set_public(connection, row.id, public=True)
    components.set_active(connection, row.id, active=True)
    assert components.listed(connection, ada, APPS, public=True, span=Span(limit=9)) == ([], 0)


def test_published_is_what_others_made_public(ada, bob, save, connection):
    def published(tag, account_id=ada):
        return components.published(connection, parse_tag(tag), ENGINES, account_id)

    save(ada, kind="assembler", version="9.0", is_public=True)
    private = save(bob, kind="assembler", version="3.0")
    public = save(bob, kind="assembler", version="2.0", is_public=True)
    assert published("hello").id == public.id
    assert published("bob/hello").id == public.id
    assert published("ada/hello").version == "9.0"
    assert published(private.id) is None
    assert published("hello@3") is None
    built_in = save(None, kind="assembler", is_public=True)
    assert published("hello").id == built_in.id
    components.set_public(connection, private.id, public=True)
    assert published("bob/hello").id == private.id


def test_of_two_first_uploads_at_once_the_later_overwrites_the_other(database):
    answers = []
    with database.write() as connection:
        owner_id = accounts.create_account(connection, "ada")

    def save(connection, key):
        manifest = Manifest(name="hello", version="1.0")
        new = NewComponent(owner_id=owner_id, manifest=manifest, schema=None, archive_key=key, digest="d")
        components.save(connection, new_uuid(), new)
        return components.find(connection, owner_id, "app", "hello", (1, 0))

    def second():
        with database.write() as connection:
            answers.append(save(connection, "two"))

    thread = threading.Thread(target=second)
    with database.write() as connection:
        first = save(connection, "one")
        thread.start()
        thread.join(0.3)
        assert not answers
    thread.join()
    assert [(it.id, it.revision, it.archive_key) for it in answers] == [(first.id, 2, "two")]
    assert noted(database) == {"one": False}
