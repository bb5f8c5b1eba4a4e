"""What the params of an S3 kind say, and what in them can't be right."""

from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gridloom.buckets import BucketPlace
from gridloom.errors import BadInput
from gridloom.net_guard import PrivateHosts
from storage.bucket_params import parse_bucket_params
from storage.descriptors import Descriptor

NOBODY = PrivateHosts()


def parse(params: dict[str, Any], field: str = "dataSource", allow: PrivateHosts = NOBODY) -> Any:
    return parse_bucket_params(Descriptor.AWS, params, field, allow)


@pytest.mark.parametrize(
    "params",
    [
        {
            "bucketName": "b",
            "cloudRegion": "eu-west-1",
            "secret_id": "mine",
            "accessKey": "A",
            "secretKey": "S",
        },
        {
            "bucket_name": "b",
            "cloud_region": "eu-west-1",
            "secretId": "mine",
            "access_key": "A",
            "secret_key": "S",
        },
    ],
)
def test_both_spellings_are_taken(params: dict[str, Any]) -> None:
    found = parse(params | {"name": "/folder/file", "@type": "x"})
    assert found.place == BucketPlace(
        kind="aws", bucket="b", region="eu-west-1", access_key="A", secret_key="S"
    )
    assert (found.names, found.secret_id, found.overwrite) == (("/folder/file",), "mine", False)


@pytest.mark.parametrize(
    ("descriptor", "kind"),
    [(Descriptor.S3, "aws"), (Descriptor.AWS, "aws"), (Descriptor.GCP, "gcp"), (Descriptor.STORJ, "storj")],
)
def test_the_descriptor_says_which_dialect_is_spoken(descriptor: Descriptor, kind: str) -> None:
    found = parse_bucket_params(descriptor, {"bucketName": "b", "name": "f"}, "dataSource", NOBODY)
    assert found.place.kind == kind


def test_a_source_may_list_names_and_a_destination_may_be_the_whole_bucket() -> None:
    assert parse({"bucketName": "b", "name": ["a", "b/*.txt"]}).names == ("a", "b/*.txt")
    found = parse({"bucketName": "b", "overwrite": True, "cloudRegion": None}, "dataDestination")
    assert (found.names, found.overwrite) == (("",), True)


def test_an_endpoint_of_ones_own_is_judged_and_kept_without_its_last_slash() -> None:
    params = {"bucketName": "b", "name": "f", "endpoint": "http://10.0.0.1:9000/"}
    with pytest.raises(BadInput, match="private network") as refused:
        parse(params)
    assert refused.value.field == "dataSource.params.endpoint"
    allowed = parse(params, allow=PrivateHosts.parse("10.0.0.0/8"))
    assert allowed.place.endpoint == "http://10.0.0.1:9000"


@pytest.mark.parametrize(
    ("params", "field"),
    [
        ({"name": "f"}, "bucketName"),
        ({"bucketName": 3, "name": "f"}, "bucketName"),
        ({"bucketName": "s3://b", "name": "f"}, "bucketName"),
        ({"bucketName": "b", "cloudRegion": "eu.evil.example/", "name": "f"}, "cloudRegion"),
        ({"bucketName": "b"}, "name"),
        ({"bucketName": "b", "name": "/"}, "name"),
        ({"bucketName": "b", "name": []}, "name"),
        ({"bucketName": "b", "name": ["a", ""]}, "name"),
        ({"bucketName": "b", "name": ["a", 3]}, "name"),
        ({"bucketName": "b", "name": ["a"] * 10_001}, "name"),
        ({"bucketName": "b", "name": "ä" * 513}, "name"),
        ({"bucketName": "b", "name": "a\0"}, "name"),
        ({"bucketName": "b", "name": "\ud800"}, "name"),
        ({"bucketName": "b", "name": "f", "secret_id": {}}, "secret_id"),
        ({"bucketName": "b", "name": "f", "overwrite": "maybe"}, "overwrite"),
        ({"bucketName": "b", "name": "f", "endpoint": "ftp://example.org"}, "endpoint"),
        ({"bucketName": "b", "name": "f", "accessKey": "a\n"}, "accessKey"),
        ({"bucketName": "b", "name": "f", "secretKey": "s\n"}, "secretKey"),
        ({"bucketName": "b", "name": "f", "sessionToken": "t\r\n"}, "sessionToken"),
    ],
)
def test_what_is_wrong_is_named(params: dict[str, Any], field: str) -> None:
    with pytest.raises(BadInput, match=field) as caught:
        parse(params)
    assert caught.value.field == f"dataSource.params.{field}"


def test_a_destination_is_one_folder() -> None:
    with pytest.raises(BadInput, match="must be one folder"):
        parse({"bucketName": "b", "name": ["a", "b"]}, "dataDestination")


@pytest.mark.parametrize("name", ["..", "a/../b", "/./a"])
def test_a_destination_that_servers_would_refuse_or_move_is_refused_before_the_work(name: str) -> None:
    with pytest.raises(BadInput, match="name must hold no") as caught:
        parse({"bucketName": "b", "name": name}, "dataDestination")
    assert caught.value.field == "dataDestination.params.name"
    assert parse({"bucketName": "b", "name": name}).names == (name,)


def test_who_names_nothing_of_a_source_is_told_how_to_name_all() -> None:
    with pytest.raises(BadInput, match=r"\*\* for the whole bucket"):
        parse({"bucketName": "b", "name": "/"})


_ANY = st.recursive(st.none() | st.booleans() | st.integers() | st.text(), st.lists, max_leaves=4)
_NAMES = (
    "bucketName",
    "bucket_name",
    "name",
    "cloudRegion",
    "endpoint",
    "secret_id",
    "overwrite",
    "accessKey",
)


@given(st.dictionaries(st.sampled_from(_NAMES), _ANY))
def test_whatever_comes_is_taken_or_refused_as_bad_input(params: dict[str, Any]) -> None:
    with suppress(BadInput):
        assert parse(params).names
