"""Which destinations are taken and where output goes."""

import pytest

from gridloom.errors import BadInput
from storage.destinations.catalog import check_deliverable, check_destination


@pytest.mark.parametrize("descriptor", ["bucket", "bypass"])
def test_the_temporary_bucket_and_bypass_need_no_params(descriptor: str) -> None:
    check_destination(descriptor, {})


@pytest.mark.parametrize("descriptor", ["url", "file", "ftp"])
def test_what_is_only_a_source_is_refused(descriptor: str) -> None:
    with pytest.raises(BadInput) as caught:
        check_destination(descriptor, {})
    assert caught.value.field == "dataDestination.dataSourceDescriptor"


def test_the_s3_kinds_need_a_bucket() -> None:
    check_destination("s3", {"bucketName": "b"})
    with pytest.raises(BadInput, match=r"dataDestination\.params\.bucketName"):
        check_destination("gcp", {"name": "/out"})


def test_only_what_is_built_in_can_be_delivered_to() -> None:
    check_deliverable("bucket")
    check_deliverable("bypass")
    with pytest.raises(BadInput, match="'aws' is not built into this version; use bucket, bypass"):
        check_deliverable("aws")
