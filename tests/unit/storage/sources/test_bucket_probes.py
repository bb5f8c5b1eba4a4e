"""Looks at data sources in buckets of a real S3 server, through a proxy where something is denied or broken."""

import time

import httpx
import pytest

from gridloom.errors import BadInput
from gridloom.net_guard import PrivateHosts
from storage import probing
from storage.bucket_params import BucketParams
from storage.probing import Look
from storage.sources.bucket_probes import probe_objects

ALLOW = PrivateHosts.parse("127.0.0.1")
FILES = {"in/a.txt": b"hello", "in/b/c.bin": b"", "in/b/d.csv": b"1,2", "in/z.txt": b"zz", "other": b"o"}


@pytest.fixture
def books(bucket_server):
    """Return the name of a bucket with some files, and the empty object of a folder."""
    name = bucket_server.make_bucket()
    for key, data in FILES.items():
        bucket_server.put(name, key, data)
    bucket_server.put(name, "in/", b"")
    return name


@pytest.fixture
def look(bucket_server, books):
    """Return a function that looks at names in the bucket."""

    def looked(*names, server=bucket_server, secret_id="lake", place=None, **asked):
        params = BucketParams(place=place or server.place(books), names=names, secret_id=secret_id)
        return probe_objects(params, Look(**asked), ALLOW)

    return looked


def keys(found):
    return [it.key for it in found.files.files]


def test_one_object_has_facts_and_a_link_that_needs_no_keys(look):
    found = look("/in/a.txt")
    assert (found.name, found.path, found.size, found.outcome.problems) == ("a.txt", "in/a.txt", 5, ())
    assert found.outcome.permissions == {"list": True, "read": True}
    assert {"lastModified", "etag"} <= set(found.properties)
    assert httpx.get(found.url).text == "hello"
    assert (found.files.base, keys(found)) == ("in/", ["in/a.txt"])


@pytest.mark.parametrize("name", ["in", "in/", "/in/"])
def test_a_folder_is_all_that_lies_below_it(look, name):
    found = look(name)
    assert (found.name, found.path, found.size, found.url) == ("in", "in/", 10, "")
    assert keys(found) == ["in/a.txt", "in/b/c.bin", "in/b/d.csv", "in/z.txt"]
    assert (found.files.truncated, found.files.after) == (False, "")


def test_pages_of_a_folder_follow_each_other(look):
    first = look("in/", limit=3)
    assert (len(keys(first)), first.files.truncated) == (3, True)
    last = look("in/", limit=3, after=first.files.after)
    assert (keys(last), last.files.after, last.files.truncated) == (["in/z.txt"], "", False)


def test_one_level_of_a_folder_is_shown_page_by_page(look):
    found = look("in/", path="/")
    assert (found.files.folders, keys(found)) == (("in/b/",), ["in/a.txt", "in/z.txt"])
    inner = look("in/", path="b")
    assert (inner.files.base, keys(inner)) == ("in/b/", ["in/b/c.bin", "in/b/d.csv"])
    first = look("in/", path="b", limit=1)
    last = look("in/", path="b", limit=1, after=first.files.after)
    assert keys(first) + keys(last) == keys(inner)
    assert (first.files.truncated, last.files.truncated) == (True, False)


def test_patterns_and_lists_mean_what_they_mean_to_a_job(look):
    assert keys(look("in/**/*.csv")) == ["in/b/d.csv"]
    assert keys(look("other", "in/b/")) == ["other", "in/b/c.bin", "in/b/d.csv"]
    limited = look("in/*.txt", limit=1)
    assert (keys(limited), limited.files.truncated, limited.files.after) == (["in/a.txt"], True, "")
    for asked in ({"path": "b"}, {"after": "x"}):
        with pytest.raises(BadInput, match="one folder"):
            look("in/*.txt", **asked)


def test_an_empty_object_is_looked_at_instead_of_read(look):
    assert look("in/b/c.bin").outcome.permissions == {"list": True, "read": True}


@pytest.mark.parametrize(
    ("faults", "name", "permissions", "problem"),
    [
        (("GetObject",), "in/", {"list": True, "read": False}, "s3:GetObject"),
        (("GetObject", "HeadObject"), "in/a.txt", {"list": True, "read": False}, "s3:GetObject"),
        (("ListObjectsV2",), "in/a.txt", {"list": False, "read": True}, "s3:ListBucket"),
    ],
)
def test_a_missing_permission_is_told_beside_what_is_there(
    look, bucket_proxy, faults, name, permissions, problem
):
    for fault in faults:
        bucket_proxy.faults.add("denied", fault, times=9)
    found = look(name, server=bucket_proxy)
    assert found.outcome.permissions == permissions
    assert len(found.outcome.problems) == 1
    assert problem in found.outcome.problems[0]
    assert "in/a.txt" in keys(found)


def test_who_may_do_nothing_is_refused_and_told_all_of_it(look, bucket_proxy):
    bucket_proxy.faults.add("denied", times=99)
    with pytest.raises(BadInput, match=r"secret_id: .*s3:ListBucket.*; .*s3:GetObject") as caught:
        look("in/a.txt", server=bucket_proxy)
    assert caught.value.field == "dataSource.params.secret_id"


@pytest.mark.parametrize(
    ("changes", "member", "problem"),
    [
        ({"access_key": "nobody"}, "secret_id", "access key is not known"),
        ({"secret_key": "wrong"}, "secret_id", "does not belong"),
        ({"bucket": "no-such-bucket"}, "bucketName", "there is no bucket no-such-bucket"),
        ({"endpoint": "http://127.0.0.1:9"}, "endpoint", "can't be reached"),
        ({"endpoint": "http://localhost:9"}, "endpoint", "localhost"),
    ],
)
def test_what_is_wrong_is_named(look, bucket_server, books, changes, member, problem):
    place = bucket_server.place(books).model_copy(update=changes)
    with pytest.raises(BadInput, match=problem) as caught:
        look("in/", place=place)
    assert caught.value.field == f"dataSource.params.{member}"


def test_wrong_inline_keys_are_named_so(look, bucket_server, books):
    place = bucket_server.place(books, access_key="nobody")
    with pytest.raises(BadInput) as caught:
        look("in/", place=place, secret_id="")
    assert caught.value.field == "dataSource.params.accessKey"


def test_another_region_is_named(look, bucket_proxy):
    bucket_proxy.faults.add("wrong_region", times=99)
    with pytest.raises(BadInput, match="region") as caught:
        look("in/", server=bucket_proxy)
    assert caught.value.field == "dataSource.params.cloudRegion"


@pytest.mark.parametrize("name", ["nothing", "nothing/", "in/*.zip"])
def test_names_that_mean_nothing_are_refused(look, name):
    with pytest.raises(BadInput, match=r"dataSource\.params\.name: ") as caught:
        look(name)
    assert caught.value.field == "dataSource.params.name"


def test_a_server_that_does_not_answer_is_given_up(look, bucket_proxy, monkeypatch):
    monkeypatch.setattr(probing, "_TOTAL_S", 0.3)
    bucket_proxy.faults.add("slow", times=99, seconds=0.4)
    began = time.monotonic()
    with pytest.raises(BadInput, match="takes longer than"):
        look("in/", server=bucket_proxy)
    assert time.monotonic() - began < 5
