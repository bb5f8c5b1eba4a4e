"""Secrets in a source's or destination's params: no answer, table, file or archive ever holds one in clear."""

import base64
from pathlib import Path

import pytest
from sqlalchemy import select

from gridloom.states import Stage
from storage.repositories import inline_credentials, jobs
from storage.tables import accounts, metadata
from storage.tables import inline_credentials as table
from tests.unit.api.routes.conftest import TEMPLATE
from tests.unit.api.routes.test_internal import Worker

JOBS, TEMPLATES = "/v1/customer/jobs", "/v1/dev/templates"
URL = {
    "dataSourceDescriptor": "url",
    "params": {"url": "https://files.example.org/a.txt", "username": "u", "password": "swordfish"},
}
SHOWN = {
    "dataSourceDescriptor": "url",
    "params": {"url": "https://files.example.org/a.txt", "username": "u"},
}
S3 = {
    "dataSourceDescriptor": "s3",
    "params": {
        "bucketName": "b",
        "accessKey": "AK",
        "secretKey": "swordfish",
        "more": [{"secret_key": "swordfish"}],
    },
}


@pytest.fixture(autouse=True)
def answers(hello, monkeypatch):
    """Collect what is answered; in the end nothing of it, and nothing that lies anywhere, holds the secret."""
    found, request = [], type(hello).request

    def noted(self, method, path, **kwargs):
        answer = request(self, method, path, **kwargs)
        if not path.startswith("/internal/"):  # workers must know
            found.append(answer.text)
        return answer

    monkeypatch.setattr(type(hello), "request", noted)
    yield
    assert found
    assert "swordfish" not in str(found) + str(everything_in(hello))
    settings = hello.context.settings
    folder = settings.bootstrap_file.parent
    for path in (it for it in Path(folder).rglob("*") if it.is_file()):
        assert b"swordfish" not in path.read_bytes(), path


def everything_in(client):
    with client.context.database.read() as connection:
        return [connection.execute(select(it)).all() for it in metadata.sorted_tables]


def kept(client, job, end="data_source"):
    """Return what the fetcher of a job's source, or who delivers to its destination, is given."""
    context = client.context
    with context.database.read() as connection:
        ada = connection.execute(accounts.select().where(accounts.c.user_name == "ada")).one().id
        row = jobs.get(connection, ada, job["id"])
        holder = jobs.holder_of(ada, row.id)
        return inline_credentials.whole(connection, context.vault, holder, end, getattr(row, end)["params"])


def rows(client):
    with client.context.database.read() as connection:
        return connection.execute(select(table)).all()


def change(client, job, **ends):
    answer = client.request("PATCH", f"{JOBS}/{job['id']}/datasource", json=ends)
    assert answer.status_code == 200, answer.text
    return answer.json()["job"]


def test_a_job_shows_all_but_the_secrets_which_its_copy_has_too(hello, draft):
    job = draft(dataSource=URL, dataDestination=S3)
    assert job["dataSource"] == SHOWN
    assert job["dataDestination"]["params"] == {"bucketName": "b", "accessKey": "AK", "more": [{}]}
    copy = hello.post(f"{JOBS}/{job['id']}/duplicate").json()["job"]
    for it in (job, copy):
        assert kept(hello, it) == URL["params"]
        assert kept(hello, it, "data_destination") == S3["params"]
    hello.get(JOBS)
    filters = [{"field": "dataSource.params.password", "value": "swordfish"}]
    assert hello.post(f"{JOBS}/filter", json={"filters": filters}).status_code == 400


def test_who_runs_it_is_given_the_secret(hello, anonymous, draft):
    job = draft(dataSource=URL)
    assert hello.post(f"{JOBS}/{job['id']}/run").status_code == 200
    reply, _ = Worker(anonymous).claim(job["id"], Stage.PARTITION, 0)
    assert reply.work.source.params == URL["params"]


def test_the_same_call_twice_keeps_one(hello):
    body = {"templateId": "hello-template", "dataSource": URL}
    for _ in range(2):
        answer = hello.post(JOBS, json=body, headers={"Idempotency-Key": "k"})
        assert answer.status_code == 200
    assert len(rows(hello)) == 1


def test_an_end_sent_as_it_was_answered_keeps_its_secret(hello, draft):
    job = draft(dataSource=URL, dataDestination=S3)
    job = change(hello, job, dataSource=job["dataSource"], dataDestination=job["dataDestination"])
    job = change(hello, job, dataSource=SHOWN | {"params": SHOWN["params"] | {"password": ""}})
    assert kept(hello, job) == URL["params"]
    assert kept(hello, job, "data_destination") == S3["params"]


def test_another_end_has_no_secret_but_its_own(hello, draft):
    elsewhere = SHOWN | {"params": {"url": "https://evil.example.org/a.txt", "username": "u"}}
    job = change(hello, draft(dataSource=URL, dataDestination=S3), dataSource=elsewhere)
    assert kept(hello, job) == elsewhere["params"]
    assert kept(hello, job, "data_destination") == S3["params"]
    change(hello, job, dataSource=URL)
    assert kept(hello, job) == URL["params"]


def test_a_deleted_job_keeps_none(hello, draft):
    job = draft(dataSource=URL)
    assert len(rows(hello)) == 1
    assert hello.request("DELETE", f"{JOBS}/{job['id']}").status_code == 200
    assert rows(hello) == []


@pytest.mark.parametrize("given", [{}, {"dataSource": SHOWN}])
def test_a_job_has_the_secrets_of_its_owners_template(hello, given):
    hello.post(TEMPLATES, json=TEMPLATE | {"id": "t", "dataSource": URL})
    hello.get(f"{TEMPLATES}/t")
    job = hello.post(JOBS, json={"templateId": "t"} | given).json()["job"]
    assert job["dataSource"] == SHOWN
    assert kept(hello, job) == URL["params"]


def test_a_job_with_a_source_of_its_own_has_none_of_the_templates(hello):
    hello.post(TEMPLATES, json=TEMPLATE | {"id": "t", "dataSource": URL})
    other = {"dataSourceDescriptor": "url", "params": {"url": "https://evil.example.org/a.txt"}}
    job = hello.post(JOBS, json={"templateId": "t", "dataSource": other}).json()["job"]
    assert kept(hello, job) == other["params"]


def test_others_get_nothing_of_a_public_template(hello, bob, pack):
    hello.post(TEMPLATES, json=TEMPLATE | {"id": "t", "dataSource": URL, "isPublic": True})
    assert bob.post(f"{TEMPLATES}/t/import").status_code == 200
    assert bob.post("/v1/dev/apps", json={"data": pack()}).status_code == 200
    assert bob.post("/v1/dev/apps/hello/activate").status_code == 200
    for body in ({"templateId": "t"}, {"templateId": "t", "dataSource": SHOWN}):
        assert bob.post(JOBS, json=body).status_code == 200
    assert {row.holder for row in rows(hello)} == {"template"}


def test_an_app_is_stored_without_the_secrets_of_its_template(hello, pack):
    data = pack({"template.json": TEMPLATE | {"id": "t", "dataSource": URL}}, version="0.2")
    assert hello.post("/v1/dev/apps", json={"data": data}).status_code == 200
    assert b"swordfish" in base64.b64decode(data)
    assert [row.holder_id for row in rows(hello)] == ["t"]
    shown = pack({"template.json": TEMPLATE | {"id": "t", "dataSource": SHOWN}}, version="0.2")
    assert hello.post("/v1/dev/apps", json={"data": shown}).status_code == 200
    assert [row.holder_id for row in rows(hello)] == ["t"]


@pytest.mark.parametrize("kind", [JOBS, TEMPLATES])
def test_a_secret_that_is_no_text_is_refused_by_name(hello, kind):
    source = {"dataSourceDescriptor": "s3", "params": {"bucketName": "b", "name": "f", "secretKey": [1]}}
    answer = hello.post(kind, json=TEMPLATE | {"templateId": "hello-template", "dataSource": source})
    assert answer.status_code == 400
    assert "dataSource.params.secretKey must be a string" in answer.json()["message"]


@pytest.mark.parametrize("settings", [{"master_key": ""}], indirect=True)
def test_without_a_master_key_only_secrets_are_refused(hello, draft):
    job = draft(dataSource=SHOWN)
    for answer in (
        hello.post(JOBS, json={"templateId": "hello-template", "dataSource": URL}),
        hello.request("PATCH", f"{JOBS}/{job['id']}/datasource", json={"dataSource": URL}),
        hello.post(TEMPLATES, json={"id": "t", "dataSource": URL}),
    ):
        assert answer.status_code == 503
        assert "GRIDLOOM_MASTER_KEY_FILE" in answer.json()["message"]
    change(hello, job, dataSource=SHOWN)
    assert hello.post(f"{JOBS}/{job['id']}/duplicate").status_code == 200
    assert hello.get(f"{TEMPLATES}/t").status_code == 404
