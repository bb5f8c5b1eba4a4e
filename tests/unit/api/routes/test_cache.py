import base64
from datetime import UTC, datetime

import pytest

from storage.repositories import cache
from storage.tables import accounts as accounts_table
from tests.fixtures.stale import noted, sweep_later
from tests.unit.api.routes.conftest import path_of

WORKER = {
    "name": "w",
    "incarnation": "1",
    "version": "0",
    "host": "h",
    "runner": "mock",
    "isolation": "none",
    "slots": 1,
    "capacity": {"cores": 1, "memory_mib": 1},
}


def put(client, path, data=b"hello", scope="user"):
    body = {"path": path, "data": base64.b64encode(data).decode(), "size": str(len(data))}
    return client.post("/v1/dev/cache", params={"scope": scope}, json=body)


def listed(client, path="", scope="user", **params):
    answer = client.get("/v1/dev/cache", params={"path": path, "scope": scope} | params)
    assert answer.status_code == 200, answer.text
    return [(it["name"], it["isDir"], it["size"]) for it in answer.json()["entries"]]


@pytest.fixture
def admin(anonymous):
    """Return a client whose account has the role admin."""

    def raise_role(connection):
        connection.execute(
            accounts_table.update().where(accounts_table.c.user_name == "root").values(role="admin")
        )

    first = anonymous.new_user("root")
    first.context.writer.run(raise_role)
    anonymous.app.state.gate._known.clear()
    return first


@pytest.fixture
def worker(anonymous):
    """Return a function that gives what a worker is told of a scope."""
    token = anonymous.post(
        "/internal/v1/register", json=WORKER, headers={"Authorization": f"Bearer {'j' * 32}"}
    ).json()["token"]
    return lambda scope: anonymous.get(
        "/internal/v1/cache", params={"scope": scope}, headers={"Authorization": f"Bearer {token}"}
    ).json()


def test_a_small_file_comes_along_and_is_listed(ada):
    answer = put(ada, "models/a.bin").json()
    entry = answer["entry"]
    assert (entry["name"], entry["path"], entry["isDir"], entry["size"]) == (
        "a.bin",
        "models/a.bin",
        False,
        "5",
    )
    assert answer["uploadUrl"] == ""
    put(ada, "models/deep/b.bin", b"12")
    put(ada, "z.txt", b"")
    assert listed(ada) == [("models", True, "7"), ("z.txt", False, "0")]
    assert listed(ada, "models") == [("a.bin", False, "5"), ("deep", True, "2")]
    assert listed(ada, "/models/deep/") == [("b.bin", False, "2")]
    assert listed(ada, "z.txt") == [("z.txt", False, "0")]


def test_lists_are_paged(ada):
    for name in "abc":
        put(ada, name)
    page = ada.get("/v1/dev/cache", params={"pagination.limit": 1, "pagination.offset": 1}).json()
    assert [it["name"] for it in page["entries"]] == ["b"]
    assert page["pagination"] == {"total": 3, "offset": 1, "hasPrevious": True, "hasNext": True}


def test_a_large_file_is_put_by_link(ada, anonymous):
    answer = ada.post("/v1/dev/cache", json={"path": "big.bin"}).json()
    assert answer["entry"] is None
    assert answer["expiresAt"].endswith("Z")
    link = path_of(answer["uploadUrl"])
    assert listed(ada) == []
    assert anonymous.request("PUT", link, content=b"x" * 300_000).json()["ok"] is True
    assert listed(ada) == [("big.bin", False, "300000")]
    form = b'--xx\r\nContent-Disposition: form-data; name="f"; filename="f"\r\n\r\nabc\r\n--xx--\r\n'
    headers = {"Content-Type": "multipart/form-data; boundary=xx"}
    anonymous.request("PUT", link, content=form, headers=headers)
    assert listed(ada) == [("big.bin", False, "3")]
    assert [info.size for info in ada.context.store.list("cache")] == [3]
    assert anonymous.get(link.replace("upload", "get")).status_code == 403


def test_a_second_upload_replaces_and_leaves_no_bytes_behind(ada, worker):
    put(ada, "a", b"one")
    put(ada, "a", b"second")
    told = worker(account_of(ada, "ada"))
    assert (told["version"], [it["size"] for it in told["files"]]) == (2, [6])
    assert ada.context.store.get_bytes(told["files"][0]["key"]) == b"second"
    assert [info.key for info in ada.context.store.list("cache")] == [told["files"][0]["key"]]
    assert told["files"][0]["key"].startswith(f"cache/users/{account_of(ada, 'ada')}/")


@pytest.mark.parametrize("path", ["", "/etc/passwd", "../x", "a/../b", "a\u0000b", "x" * 1100])
def test_bad_paths_are_refused_on_every_verb(ada, path):
    assert put(ada, path).status_code == 400
    assert ada.post("/v1/dev/cache", json={"path": path}).status_code == 400
    assert ada.request("DELETE", "/v1/dev/cache", params={"path": path}).status_code in (400, 404)
    assert list(ada.context.store.list("cache")) == []


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"path": "a", "data": "!"}, "data"),
        ({"path": "a", "data": "YQ==", "size": 5}, "size"),
        ({"path": "a", "size": -1}, "size"),
        ({"data": "YQ=="}, "path"),
    ],
)
def test_what_breaks_the_rules_is_named(ada, body, field):
    answer = ada.post("/v1/dev/cache", json=body)
    assert answer.status_code == 400
    assert answer.json()["details"][0]["fieldViolations"][0]["field"] == field


def test_a_file_can_not_lie_below_a_file(ada):
    put(ada, "a/b")
    assert put(ada, "a/b/c").status_code == 400
    assert put(ada, "a").status_code == 400
    assert len(list(ada.context.store.list("cache"))) == 1


def test_files_and_folders_are_deleted(ada, worker):
    for path in ("a/b", "a/c", "d"):
        put(ada, path)
    answer = ada.request("DELETE", "/v1/dev/cache", params={"path": "a"})
    assert (answer.json()["ok"], answer.json()["message"]) == (True, "2 deleted")
    assert listed(ada) == [("d", False, "5")]
    assert worker(account_of(ada, "ada"))["version"] == 4
    assert len(list(ada.context.store.list("cache"))) == 1
    assert ada.request("DELETE", "/v1/dev/cache", params={"path": "a"}).status_code == 404


@pytest.mark.parametrize("settings", [{"max_cache_mib": 1}], indirect=True)
def test_a_cache_holds_no_more_than_its_quota(ada, anonymous):
    mib = 1024 * 1024
    link = path_of(ada.post("/v1/dev/cache", json={"path": "a"}).json()["uploadUrl"])
    assert anonymous.request("PUT", link, content=b"x" * (mib + 1)).status_code == 413
    assert anonymous.request("PUT", link, content=b"x" * mib).status_code == 200
    assert put(ada, "b").status_code in (403, 413)
    assert anonymous.request("PUT", link, content=b"y" * mib).status_code == 200
    assert listed(ada) == [("a", False, str(mib))]


def test_only_an_admin_writes_to_the_shared_cache_and_all_read_it(ada, admin, worker):
    assert put(ada, "a", scope="shared").status_code == 403
    assert ada.post("/v1/dev/cache", params={"scope": "shared"}, json={"path": "a"}).status_code == 403
    assert put(admin, "a", scope="shared").status_code == 200
    assert listed(ada, scope="shared") == [("a", False, "5")]
    assert listed(ada) == []
    gone = {"scope": "shared", "path": "a"}
    assert ada.request("DELETE", "/v1/dev/cache", params=gone).status_code == 403
    assert worker("shared")["version"] == 1
    assert admin.request("DELETE", "/v1/dev/cache", params=gone).status_code == 200
    assert put(ada, "a", scope="others").status_code == 400


def test_another_users_files_are_as_absent_as_none(ada, bob):
    put(ada, "secret/a")
    for path in ("secret", "nothing"):
        for verb in ("GET", "DELETE"):
            answer = bob.request(verb, "/v1/dev/cache", params={"path": path})
            assert (answer.status_code, answer.json()["message"]) == (404, f"the cache has no '{path}'")
    assert listed(bob) == []
    assert listed(ada, "secret") == [("a", False, "5")]


def account_of(client, name):
    with client.context.database.read() as connection:
        query = accounts_table.select().where(accounts_table.c.user_name == name)
        return connection.execute(query).one().id


def test_a_link_does_no_more_than_who_it_was_made_for_may_do_now(ada, admin, anonymous):
    def link(client, scope):
        body = {"path": "a.bin"}
        answer = client.post("/v1/dev/cache", params={"scope": scope}, json=body)
        return path_of(answer.json()["uploadUrl"])

    def change(name, **columns):
        statement = accounts_table.update().where(accounts_table.c.user_name == name).values(**columns)
        ada.context.writer.run(lambda connection: connection.execute(statement))

    own, shared = link(ada, "user"), link(admin, "shared")
    change("root", role="user")
    change("ada", disabled_at=datetime.now(UTC))
    for path in (own, shared):
        assert anonymous.request("PUT", path, content=b"x").status_code == 403
    assert list(ada.context.store.list("cache")) == []


def stored(context):
    return {it.key: context.store.get_bytes(it.key) for it in context.store.list("cache")}


def test_replaced_and_deleted_files_leave_neither_bytes_nor_notes(ada):
    for data in (b"one", b"two", b"two"):
        put(ada, "a", data)
        put(ada, "b/c", data)
    ada.request("DELETE", "/v1/dev/cache", params={"path": "b"})
    assert list(stored(ada.context).values()) == [b"two"]
    sweep_later(ada.context.database, ada.context.store)
    assert list(stored(ada.context).values()) == [b"two"]
    assert noted(ada.context.database) == {}


def test_what_a_crashed_upload_left_goes_later(ada, monkeypatch):
    put(ada, "a", b"one")
    with monkeypatch.context() as patch:
        patch.setattr(cache, "put", lambda *_, **__: 1 / 0)
        assert put(ada, "a", b"two").status_code == 500
    assert sorted(stored(ada.context).values()) == [b"one", b"two"]
    sweep_later(ada.context.database, ada.context.store)
    assert list(stored(ada.context).values()) == [b"one"]


def test_what_crashed_before_it_could_delete_replaced_bytes_is_made_up_for(ada, monkeypatch):
    put(ada, "a", b"one")
    with monkeypatch.context() as patch:
        patch.setattr(ada.context.store, "delete", lambda _key: 1 / 0, raising=False)
        assert put(ada, "a", b"two").status_code == 500
        assert ada.request("DELETE", "/v1/dev/cache", params={"path": "a"}).status_code == 500
    assert sorted(stored(ada.context).values()) == [b"one", b"two"]
    sweep_later(ada.context.database, ada.context.store)
    assert stored(ada.context) == {}


def test_an_upload_that_is_refused_leaves_no_bytes(ada):
    put(ada, "a/b", b"one")
    assert put(ada, "a", b"two").status_code == 400
    assert list(stored(ada.context).values()) == [b"one"]
