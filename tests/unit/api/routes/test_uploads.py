import asyncio
import hashlib
from datetime import UTC, datetime, timedelta

import pytest

from storage.links import LinkClaims, LinkKind
from tests.unit.api.routes.conftest import path_of
from tests.unit.api.routes.test_job_edits import FILE, URL
from tests.unit.api.routes.test_jobs import error_of, row_of

MULTIPART = (
    b'--xx\r\nContent-Disposition: form-data; name="f"; filename="in.csv"\r\n\r\na,b\r\n\r\n--xx--\r\n'
)


def confirm_and_run(client, job_id):
    client.request("PATCH", f"/v1/customer/jobs/{job_id}/uploadcompleted")
    return client.post(f"/v1/customer/jobs/{job_id}/run")


@pytest.fixture
def upload_path(draft):
    """Return the path of a new draft's upload link."""
    return path_of(draft(dataSource=FILE)["dataSource"]["params"]["tempUrl"])


def test_four_steps_bring_a_file_into_the_plan(draft, hello, anonymous):
    job_id = draft()["id"]
    path = f"/v1/customer/jobs/{job_id}"
    job = hello.request("PATCH", f"{path}/datasource", json={"dataSource": FILE}).json()["job"]
    link = path_of(job["dataSource"]["params"]["tempUrl"])
    assert "no file was uploaded" in error_of(hello.post(f"{path}/run"))
    headers = {"Content-Disposition": 'attachment; filename="/home/ada/in put.txt"'}
    assert anonymous.request("PUT", link, content=b"hello", headers=headers).json()["ok"] is True
    assert "not confirmed" in error_of(hello.post(f"{path}/run"))
    assert confirm_and_run(hello, job_id).status_code == 200
    source = row_of(hello, job_id).plan["source"]
    assert (source["descriptor"], source["name"]) == ("file", "in put.txt")
    assert hello.context.store.get_bytes(source["blob_key"]) == b"hello"


def test_a_multipart_body_is_unpacked(draft, hello, anonymous):
    job = draft(dataSource=FILE)
    headers = {"Content-Type": "multipart/form-data; boundary=xx"}
    link = path_of(job["dataSource"]["params"]["tempUrl"])
    assert anonymous.request("PUT", link, content=MULTIPART, headers=headers).status_code == 200
    upload = row_of(hello, job["id"]).upload
    assert (upload["name"], hello.context.store.get_bytes(upload["key"])) == ("in.csv", b"a,b\r\n")
    assert upload["sha256"] == hashlib.sha256(b"a,b\r\n").hexdigest()


@pytest.mark.parametrize(
    ("header", "name"),
    [(None, "given.bin"), ("attachment", "given.bin"), ('attachment; filename="../../x"', "x")],
)
def test_the_name_comes_from_the_header_or_the_source(draft, hello, anonymous, header, name):
    source = {"dataSourceDescriptor": "file", "params": {"name": "some/given.bin"}}
    job = draft(dataSource=source)
    headers = {"Content-Disposition": header} if header else {}
    anonymous.request("PUT", path_of(job["dataSource"]["params"]["tempUrl"]), content=b"x", headers=headers)
    assert row_of(hello, job["id"]).upload["name"] == name


@pytest.mark.parametrize("settings", [{"max_upload_mib": 1, "max_body_mib": 1}], indirect=True)
def test_uploads_have_a_cap_of_their_own(draft, hello, anonymous, upload_path):
    mib = 1024 * 1024

    async def unannounced():
        for _ in range(3):
            yield b"x" * mib

    assert "limit" in error_of(anonymous.request("PUT", upload_path, content=b"x" * (mib + 1)), 413)
    assert "limit" in error_of(anonymous.request("PUT", upload_path, content=unannounced()), 413)
    assert list(hello.context.store.list("jobs")) == []
    assert anonymous.request("PUT", upload_path, content=b"x" * mib).status_code == 200


@pytest.mark.parametrize("settings", [{"max_body_mib": 1}], indirect=True)
def test_the_cap_of_json_bodies_is_not_that_of_uploads(hello, anonymous, upload_path):
    assert anonymous.request("PUT", upload_path, content=b"x" * 3_000_000).status_code == 200


def test_a_later_upload_takes_the_place_of_an_earlier_one(draft, hello, anonymous):
    job = draft(dataSource=FILE)
    link = path_of(job["dataSource"]["params"]["tempUrl"])
    for data in (b"one", b"two"):
        anonymous.request("PUT", link, content=data)
        hello.request("PATCH", f"/v1/customer/jobs/{job['id']}/uploadcompleted")
    upload = row_of(hello, job["id"]).upload
    assert hello.context.store.get_bytes(upload["key"]) == b"two"
    assert [info.key for info in hello.context.store.list(f"jobs/{job['id']}")] == [upload["key"]]


def test_a_job_cannot_run_while_an_upload_does(draft, hello, anonymous):
    job = draft(dataSource=FILE)
    link = path_of(job["dataSource"]["params"]["tempUrl"])
    anonymous.request("PUT", link, content=b"whole")
    hello.request("PATCH", f"/v1/customer/jobs/{job['id']}/uploadcompleted")
    seen = []

    async def slow():
        yield b"x"
        seen.append(await asyncio.to_thread(confirm_and_run, hello, job["id"]))
        yield b"y"

    assert anonymous.request("PUT", link, content=slow()).status_code == 200
    assert "still runs or broke off" in error_of(seen[0])
    assert confirm_and_run(hello, job["id"]).status_code == 200


def test_an_upload_that_another_one_overtook_is_dropped(draft, hello, anonymous):
    job = draft(dataSource=FILE)
    link = path_of(job["dataSource"]["params"]["tempUrl"])

    async def overtaken():
        yield b"x"
        await asyncio.to_thread(anonymous.request, "PUT", link, content=b"second")
        yield b"y"

    assert "another upload" in error_of(anonymous.request("PUT", link, content=overtaken()))
    upload = row_of(hello, job["id"]).upload
    assert [info.key for info in hello.context.store.list(f"jobs/{job['id']}")] == [upload["key"]]
    assert hello.context.store.get_bytes(upload["key"]) == b"second"


def test_nothing_is_taken_after_the_run_or_for_another_source(draft, hello, anonymous):
    job = draft(dataSource=FILE)
    link = path_of(job["dataSource"]["params"]["tempUrl"])
    anonymous.request("PUT", link, content=b"x")
    hello.request("PATCH", f"/v1/customer/jobs/{job['id']}/datasource", json={"dataSource": URL})
    assert "is not a file" in error_of(anonymous.request("PUT", link, content=b"x"))
    hello.post(f"/v1/customer/jobs/{job['id']}/run")
    assert "only a job in" in error_of(anonymous.request("PUT", link, content=b"x"))


def test_only_a_good_link_opens_the_door(draft, hello, anonymous):
    job_id = draft(dataSource=FILE)["id"]
    now, sign = datetime.now(UTC), hello.context.links.sign
    late = sign("PUT", LinkClaims(kind=LinkKind.UPLOAD, job=job_id), now - timedelta(seconds=1))
    other = sign("PUT", LinkClaims(kind=LinkKind.BLOB, job=job_id), now + timedelta(hours=1))
    read = sign("GET", LinkClaims(kind=LinkKind.UPLOAD, job=job_id), now + timedelta(hours=1))
    for token, status in ((late, 403), (other, 403), (read, 403), ("nonsense", 401)):
        assert anonymous.request("PUT", f"/files/upload/{token}", content=b"x").status_code == status


@pytest.mark.parametrize("body", [b"--yy\r\n", MULTIPART[:-12]])
def test_a_broken_multipart_body_leaves_nothing(hello, anonymous, upload_path, body):
    headers = {"Content-Type": "multipart/form-data; boundary=xx"}
    assert anonymous.request("PUT", upload_path, content=body, headers=headers).status_code == 400
    assert list(hello.context.store.list("jobs")) == []
