import io
import zipfile
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import update

from api.routes.downloads import _range
from storage.links import LinkClaims, LinkKind
from storage.tables import accounts, jobs
from tests.unit.api.routes.conftest import path_of
from tests.unit.api.routes.test_jobs import error_of

FILES = {"a/ü.txt": b"first", "b.bin": b"0123456789", "empty": b""}


def results_of(client, job):
    return client.get(f"/v1/customer/jobs/{job['id']}/results").json()


def change(client, job, values):
    statement = update(jobs).where(jobs.c.id == job["id"]).values(**values)
    client.context.writer.run(lambda connection: connection.execute(statement))


@pytest.fixture
def links(finished, hello):
    """Return the paths of the links to a finished job's FILES, by name."""
    return {it["name"]: path_of(it["url"]) for it in results_of(hello, finished(FILES))["results"]}


def test_each_file_comes_whole_without_a_token(links, anonymous):
    for name, data in FILES.items():
        answer = anonymous.get(links[name])
        assert (answer.status_code, answer.content) == (200, data)
        assert answer.headers["content-length"] == str(len(data))
        assert answer.headers["x-content-type-options"] == "nosniff"
    assert anonymous.get(links["a/ü.txt"]).headers["content-disposition"] == (
        "attachment; filename=\"_.txt\"; filename*=UTF-8''%C3%BC.txt"
    )


@pytest.mark.parametrize(
    ("header", "status", "data", "content_range"),
    [
        ("bytes=2-4", 206, b"234", "bytes 2-4/10"),
        ("bytes=7-", 206, b"789", "bytes 7-9/10"),
        ("bytes=-2", 206, b"89", "bytes 8-9/10"),
        ("bytes=8-99", 206, b"89", "bytes 8-9/10"),
        ("bytes=10-", 200, b"0123456789", None),
        ("bytes=0-1,3-4", 200, b"0123456789", None),
        ("lines=1-2", 200, b"0123456789", None),
    ],
)
def test_a_range_is_served(links, anonymous, header, status, data, content_range):
    answer = anonymous.get(links["b.bin"], headers={"Range": header})
    assert (answer.status_code, answer.content) == (status, data)
    assert answer.headers.get("content-range") == content_range


@given(st.text(max_size=20) | st.from_regex(r"bytes=\d{0,20}-\d{0,20}", fullmatch=True), st.integers(1, 50))
def test_a_range_never_leaves_the_file(header, size):
    first, last = _range(header, size)
    assert 0 <= first <= last < size


def test_head_tells_the_size_only(links, anonymous):
    answer = anonymous.request("HEAD", links["b.bin"])
    assert (answer.status_code, answer.content, answer.headers["content-length"]) == (200, b"", "10")


def test_the_archive_holds_every_file(finished, hello, anonymous):
    job = finished(FILES | {f"many/{i:04}": b"%d" % i for i in range(2500)})
    answer = anonymous.get(path_of(results_of(hello, job)["archive"]))
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        assert archive.testzip() is None
        assert len(archive.namelist()) == 2503
        assert {name: archive.read(name) for name in FILES} == FILES


@pytest.mark.parametrize("column", ["output_expires_at", "purged_at"])
def test_after_its_time_the_output_is_gone(finished, hello, anonymous, column):
    job = finished(FILES)
    found = results_of(hello, job)
    links = [it["url"] for it in found["results"]] + [found["archive"]]
    change(hello, job, {column: datetime.now(UTC)})
    for link in links:
        assert "was kept until" in error_of(anonymous.get(path_of(link)), 404)
    assert "was kept until" in error_of(hello.get(f"/v1/customer/jobs/{job['id']}/results"), 404)


def test_the_output_of_a_deleted_job_is_gone(finished, hello, anonymous):
    job = finished(FILES)
    link = results_of(hello, job)["results"][0]["link"]
    hello.request("DELETE", f"/v1/customer/jobs/{job['id']}")
    assert error_of(anonymous.get(path_of(link)), 404)


def test_only_a_good_link_opens_the_door(finished, hello, anonymous):
    job, now = finished(FILES), datetime.now(UTC)
    sign, soon = hello.context.links.sign, now + timedelta(hours=1)
    wrong = {
        sign("GET", LinkClaims(kind=LinkKind.BLOB, job=job["id"], path="b.bin"), now): 403,
        sign("PUT", LinkClaims(kind=LinkKind.BLOB, job=job["id"], path="b.bin"), soon): 403,
        sign("GET", LinkClaims(kind=LinkKind.BLOB, job=job["id"], path="c.bin"), soon): 404,
        sign("GET", LinkClaims(kind=LinkKind.UPLOAD, job=job["id"]), soon): 404,
        sign("GET", LinkClaims(kind=LinkKind.ARCHIVE, path="no/such/key"), soon): 404,
        "nonsense": 401,
    }
    for token, status in wrong.items():
        assert anonymous.get(f"/files/get/{token}").status_code == status


def test_an_object_of_its_own_is_fetched_from_a_store_that_users_reach(
    finished, hello, anonymous, monkeypatch
):
    large, packed = finished({"large.csv": bytes(300_000)}), finished({"a": bytes(300_000), "b": b"1"})
    links = {job["id"]: path_of(results_of(hello, job)["results"][0]["url"]) for job in (large, packed)}
    assert anonymous.get(links[large["id"]]).status_code == 200  # nobody but the fabric reads a folder
    asked = []
    monkeypatch.setattr(
        hello.context.store, "link", lambda *its: asked.append(its) or "https://s3.test/x?y=z"
    )
    answer = anonymous.get(links[large["id"]], headers={"Range": "bytes=5-9"}, follow_redirects=False)
    assert (answer.status_code, answer.headers["location"]) == (307, "https://s3.test/x?y=z")
    assert asked == [(f"jobs/{large['id']}/output/1/all", 15 * 60, "large.csv", "text/csv")]
    assert anonymous.request("HEAD", links[large["id"]]).headers["content-length"] == "300000"
    assert anonymous.get(links[packed["id"]]).content == bytes(300_000)
    change(hello, large, {"purged_at": datetime.now(UTC)})
    assert "was kept until" in error_of(anonymous.get(links[large["id"]]), 404)


def test_a_component_archive_is_served_by_its_key(hello, anonymous):
    hello.context.store.put_bytes("components/x", b"tar")
    claims = LinkClaims(kind=LinkKind.ARCHIVE, path="components/x", name="x.tar")
    token = hello.context.links.sign("GET", claims, datetime.now(UTC) + timedelta(hours=1))
    assert anonymous.get(f"/files/get/{token}").content == b"tar"


def test_links_of_a_disabled_account_lead_nowhere(links, hello, anonymous):
    statement = update(accounts).where(accounts.c.user_name == "ada")
    for moment, status in ((datetime.now(UTC), 403), (None, 200)):
        change = statement.values(disabled_at=moment)
        hello.context.writer.run(lambda connection, change=change: connection.execute(change))
        assert anonymous.get(links["b.bin"]).status_code == status
