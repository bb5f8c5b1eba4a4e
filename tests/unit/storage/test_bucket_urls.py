"""Reading the URL of a store in a bucket."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gridloom.errors import SetupFailed
from storage.blobs import check_key
from storage.bucket_urls import BucketUrl, parse_bucket_url


def parsed(url: str) -> BucketUrl:
    return parse_bucket_url(url, "AKID", "secret")


def test_every_member_is_read() -> None:
    found = parsed(
        "s3://my-bucket/a/b/?endpoint=http://10.0.0.5:9000/&region=eu-1&kind=storj&public_endpoint=https://s3.test"
    )
    assert found.prefix == "a/b"
    assert found.link_endpoint == "https://s3.test"
    assert found.place.model_dump() == {
        "kind": "storj",
        "bucket": "my-bucket",
        "region": "eu-1",
        "endpoint": "http://10.0.0.5:9000",
        "access_key": "AKID",
        "secret_key": "secret",
        "session_token": "",
    }


def test_a_bucket_alone_will_do() -> None:
    found = parsed("s3://my-bucket")
    assert (found.place.kind, found.place.endpoint, found.prefix) == ("aws", "", "")


@pytest.mark.parametrize(
    ("query", "link_endpoint"),
    [
        ("", ""),
        ("?endpoint=http://10.0.0.5:9000", None),
        ("?public_endpoint=https://s3.test", "https://s3.test"),
    ],
)
def test_links_lead_where_users_get_to(query: str, link_endpoint: str | None) -> None:
    assert parsed(f"s3://my-bucket{query}").link_endpoint == link_endpoint


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("s3:bucket", "must read s3://BUCKET"),
        ("s3:///prefix", "must read s3://BUCKET"),
        ("s3://bucket:80/x", "must read s3://BUCKET"),
        ("s3://bucket#x", "must read s3://BUCKET"),
        ("s3://[x/y", "can't be read"),
        ("s3://AKID:secret@bucket", "must not hold keys; set GRIDLOOM_STORE_ACCESS_KEY"),
        ("s3://bucket/a//b", "prefix 'a//b'"),
        ("s3://bucket/../b", "prefix"),
        ("s3://bucket/a%20b", "prefix 'a b'"),
        ("s3://bucket?endpint=http://x", "unknown member 'endpint'; it takes endpoint, region"),
        ("s3://bucket?region=a&region=b", "must say region once"),
        ("s3://bucket?region=", "must say region once"),
        ("s3://bucket?kind=azure", "kind 'azure'; it is one of aws, gcp, storj"),
        ("s3://bucket?endpoint=10.0.0.5:9000", "endpoint '10.0.0.5:9000'"),
        ("s3://bucket?public_endpoint=http://u:p@x", "public_endpoint"),
    ],
)
def test_what_is_wrong_is_named(url: str, problem: str) -> None:
    with pytest.raises(SetupFailed, match="GRIDLOOM_STORE_URL") as caught:
        parsed(url)
    assert problem in caught.value.message


@pytest.mark.parametrize(
    ("keys", "missing"),
    [(("AKID", ""), "GRIDLOOM_STORE_SECRET_KEY"), (("", "secret"), "GRIDLOOM_STORE_ACCESS_KEY")],
)
def test_one_key_alone_is_refused(keys: tuple[str, str], missing: str) -> None:
    with pytest.raises(SetupFailed, match=f"{missing} is not set"):
        parse_bucket_url("s3://bucket", *keys)


@given(st.text(max_size=40))
def test_any_other_text_is_read_or_refused(text: str) -> None:
    try:
        found = parsed(f"s3://{text}")
    except SetupFailed:
        return
    assert found.place.bucket
    assert not found.prefix or check_key(found.prefix)
