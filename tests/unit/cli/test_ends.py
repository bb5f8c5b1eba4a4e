"""Tests of how data sources and destinations are spelled as one argument."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cli.ends import BucketOptions, read_destination, read_end
from gridloom.errors import BadInput

NONE = BucketOptions()


def params(text, **options):
    end = read_end(text, BucketOptions(**options))
    return end["dataSourceDescriptor"], {k: v for k, v in end["params"].items() if k != "@type"}


def test_a_bucket_has_its_kind_its_name_and_what_lies_in_it():
    assert params("s3://books/2024/a b.txt") == ("s3", {"bucketName": "books", "name": "2024/a b.txt"})
    assert params("gs://books") == ("gcp", {"bucketName": "books", "name": ""})
    assert params("storj://books/?[a-z]/**/x?y=1#2") == (
        "storj",
        {"bucketName": "books", "name": "?[a-z]/**/x?y=1#2"},
    )


def test_a_secret_of_its_own_wins_over_that_of_the_options():
    options = {"secret": "mine", "region": "eu", "endpoint": "http://minio:9000"}
    found = {"cloudRegion": "eu", "endpoint": "http://minio:9000", "bucketName": "b", "name": "x@y"}
    assert params("aws://b/x@y", **options) == ("aws", found | {"secret_id": "mine"})
    assert params("aws://lake@b/x@y", **options) == ("aws", found | {"secret_id": "lake"})


def test_urls_and_json_are_ends_and_anything_else_may_be_a_file():
    assert params("https://a.test/f?x=1", secret="s") == ("url", {"url": "https://a.test/f?x=1"})
    assert read_end('{"dataSourceDescriptor": "bypass"}', NONE) == {
        "dataSourceDescriptor": "bypass",
        "params": {},
    }
    assert [read_end(it, NONE) for it in ("notes.txt", "/data/a", "a:b", "")] == [None] * 4


@pytest.mark.parametrize(
    "text",
    ["ftp://a/b", "s3://", "s3:///a", "s3://secret@/a", "{", "{}", '{"dataSourceDescriptor": 1}', "{1}"],
)
def test_what_begins_like_an_end_but_is_none_is_refused(text):
    with pytest.raises(BadInput):
        read_end(text, NONE)


def test_a_destination_is_an_end_and_can_be_overwritten():
    assert read_destination("", NONE) is None
    assert read_destination("s3://b/c", NONE, overwrite=True)["params"]["overwrite"] is True
    for text, overwrite in (("folder", False), ("", True)):
        with pytest.raises(BadInput, match="--destination"):
            read_destination(text, NONE, overwrite=overwrite)


@given(st.text(min_size=1), st.text())
def test_any_name_in_a_bucket_stays_as_it_is(secret, name):
    found = params(f"s3://b/{name}")[1]
    assert (found["bucketName"], found["name"]) == ("b", name)
    if "/" not in secret:
        assert params(f"s3://{secret}@b/{name}")[1]["secret_id"] == secret
