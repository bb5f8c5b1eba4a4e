"""Every call that changes something leaves a row, and nothing takes it away."""

from datetime import UTC, datetime

import pytest
from sqlalchemy import delete, select, update
from sqlalchemy.exc import DatabaseError

from api.app import public_apis
from api.audit import READS
from api.limiter import Limiter
from gridloom.errors import TooMany
from storage.db import Database
from storage.migrate import upgrade
from storage.repositories import audit
from storage.tables import accounts, audit_log


def rows(client):
    with client.context.database.read() as connection:
        return connection.execute(select(audit_log).order_by(audit_log.c.id)).mappings().all()


def test_a_change_is_written_with_who_what_and_how_it_ended(ada, pack):
    ada.post("/v1/dev/apps", json={"data": pack()})
    answer = ada.post("/v1/dev/apps/hello@0.1/activate")
    pushed, activated = rows(ada)
    assert (pushed["route"], pushed["method"], pushed["status"]) == ("/v1/dev/apps", "POST", 200)
    assert activated["route"] == "/v1/dev/apps/{appTag}/activate"
    assert activated["resource"] == {"appTag": "hello@0.1"}
    assert activated["request_id"] == answer.headers["x-request-id"]
    assert activated["account_id"]
    assert activated["credential_id"]


def test_a_refused_change_is_written_too(ada, anonymous):
    assert ada.post("/v1/customer/jobs", json={"templateId": "absent"}).status_code == 404
    assert anonymous.post("/v1/customer/jobs", json={}).status_code == 401
    assert [(it["status"], bool(it["account_id"])) for it in rows(ada)] == [(404, True), (401, False)]


def test_a_call_that_only_reads_is_not_written(ada):
    ada.get("/v1/customer/jobs")
    ada.post("/v1/customer/jobs/runningTasks", json={"jobsIds": []})
    assert rows(ada) == []


def test_a_refused_key_is_written_and_a_good_one_is_not(anonymous):
    anonymous.new_user("ada")
    assert rows(anonymous) == []
    anonymous.post("/v1/auth/access_token", json={"apiKey": "glk_wrong"})
    assert [it["status"] for it in rows(anonymous)] == [401]


def test_the_routes_that_are_left_out_exist():
    paths = {
        route.path
        for api in public_apis().values()
        for router in api.routers
        for route in router.routes
        if "POST" in getattr(route, "methods", ())
    }
    assert paths >= READS


def test_only_operators_read_the_log(ada, bob):
    ada.post("/v1/customer/jobs", json={"templateId": "absent"})
    assert ada.get("/v1/admin/audit").status_code == 403

    def promote(connection):
        connection.execute(update(accounts).where(accounts.c.user_name == "bob").values(role="admin"))

    bob.context.writer.run(promote)
    bob.app.state.gate.forget()
    answer = bob.get("/v1/admin/audit?pagination.limit=1").json()
    assert answer["data"][0]["userName"] == "ada"
    assert answer["pagination"]["total"] == 1


def test_rows_can_be_neither_changed_nor_removed(database_url):
    database = Database(database_url)
    upgrade(database)
    row = {"address": "", "request_id": "", "method": "POST", "route": "/", "resource": {}, "status": 200}
    with database.write() as connection:
        audit.add(connection, row | {"at": datetime.now(UTC)})
    for statement in (update(audit_log).values(status=500), delete(audit_log)):
        with pytest.raises(DatabaseError, match="append-only"), database.write() as connection:
            connection.execute(statement)
    database.close()


def test_who_signs_in_or_follows_a_link_is_named(admin, anonymous):
    body = {"userName": "eve", "email": "eve@example.test", "password": "correct horse"}
    account_id = admin.post("/v1/admin/users", json=body).json()["user"]["id"]
    anonymous.post("/v1/auth/signin", json={"email": "eve@example.test", "password": "correct horse"})
    anonymous.post("/v1/auth/signin", json={"email": "eve@example.test", "password": "wrong"})
    made, good, bad = rows(admin)
    assert (made["account_id"], made["status"]) != (account_id, 401)
    assert (good["account_id"], bool(good["credential_id"]), good["status"]) == (account_id, True, 200)
    assert (bad["account_id"], bad["status"]) == (None, 401)
    link = admin.post("/v1/dev/cache", json={"path": "a.bin"}).json()["uploadUrl"]
    anonymous.request("PUT", link.removeprefix("http://fabric.test"), content=b"x")
    put = rows(admin)[-1]
    assert (put["route"], put["account_id"], put["status"]) == (
        "/files/upload/{token}",
        made["account_id"],
        200,
    )


def test_a_stranger_does_not_fill_the_log(anonymous, monkeypatch):
    monkeypatch.setattr(Limiter, "count", refuse)
    anonymous.post("/v1/customer/jobs", json={})
    assert rows(anonymous) == []


def refuse(*_):
    raise TooMany("too many calls", retry_after_s=1)
