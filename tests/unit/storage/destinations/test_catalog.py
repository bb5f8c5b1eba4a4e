"""Which destinations are taken and where output goes."""

import pytest

from gridloom.errors import AttemptFailed, BadInput
from gridloom.states import EndReason
from storage.destinations.catalog import check_destination, keeps_output


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


def test_the_bucket_keeps_output_and_bypass_drops_it() -> None:
    assert keeps_output("bucket")
    assert not keeps_output("bypass")
    with pytest.raises(AttemptFailed, match="not built into this version") as caught:
        keeps_output("aws")
    assert caught.value.reason is EndReason.DESTINATION
