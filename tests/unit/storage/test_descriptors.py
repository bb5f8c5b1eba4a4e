"""Descriptors and the shape of an S3 kind's params."""

import pytest

from gridloom.errors import BadInput
from storage.descriptors import SOURCES, Descriptor, check_bucket_params, known_descriptor


def test_a_known_descriptor_is_returned() -> None:
    assert known_descriptor("url", SOURCES, "dataSource") is Descriptor.URL


@pytest.mark.parametrize("descriptor", ["ftp", "", "URL", "bucket"])
def test_an_unknown_or_misplaced_descriptor_names_its_field(descriptor: str) -> None:
    with pytest.raises(BadInput, match="use one of aws, bypass") as caught:
        known_descriptor(descriptor, SOURCES, "dataSource")
    assert caught.value.field == "dataSource.dataSourceDescriptor"


@pytest.mark.parametrize("key", ["bucketName", "bucket_name"])
def test_both_spellings_of_bucket_params_are_taken(key: str) -> None:
    params = {
        key: "b",
        "name": "/folder/file",
        "secret_id": None,
        "cloudRegion": "eu",
        "@type": "x",
        "accessKey": 1,
    }
    check_bucket_params(params, "dataSource", name_required=True)


@pytest.mark.parametrize(
    ("params", "field"),
    [
        ({"name": "f"}, "bucketName"),
        ({"bucketName": "b"}, "name"),
        ({"bucketName": "b", "name": "/"}, "name"),
        ({"bucketName": 3, "name": "f"}, "bucketName"),
        ({"bucketName": "b", "name": "f", "secret_id": {}}, "secret_id"),
    ],
)
def test_what_is_wrong_with_bucket_params_is_named(params: dict[str, object], field: str) -> None:
    with pytest.raises(BadInput, match=field) as caught:
        check_bucket_params(params, "dataSource", name_required=True)
    assert caught.value.field == f"dataSource.params.{field}"
