"""Which destinations are taken and where output goes."""

import pytest

from gridloom.destinations import DestinationSpec
from gridloom.errors import BadInput
from gridloom.net_guard import PrivateHosts
from storage.destinations.catalog import bucket_folder, check_destination

NOBODY = PrivateHosts.parse("")


@pytest.mark.parametrize("descriptor", ["bucket", "bypass"])
def test_the_temporary_bucket_and_bypass_need_no_params(descriptor: str) -> None:
    check_destination(descriptor, {}, NOBODY)


@pytest.mark.parametrize("descriptor", ["url", "file", "ftp"])
def test_what_is_only_a_source_is_refused(descriptor: str) -> None:
    with pytest.raises(BadInput) as caught:
        check_destination(descriptor, {}, NOBODY)
    assert caught.value.field == "dataDestination.dataSourceDescriptor"


def test_the_s3_kinds_need_a_bucket() -> None:
    check_destination("s3", {"bucketName": "b"}, NOBODY)
    with pytest.raises(BadInput, match=r"dataDestination\.params\.bucketName"):
        check_destination("gcp", {"name": "/out"}, NOBODY)


def test_a_private_endpoint_is_one_that_the_operator_allows() -> None:
    params = {"bucketName": "b", "endpoint": "http://127.0.0.1:9000"}
    with pytest.raises(BadInput, match=r"dataDestination\.params\.endpoint"):
        check_destination("aws", params, NOBODY)
    check_destination("aws", params, PrivateHosts.parse("127.0.0.1"))


@pytest.mark.parametrize(("given", "folder"), [({}, ""), ({"name": "/out/of/here/"}, "/out/of/here/")])
def test_a_destination_names_a_folder_or_the_whole_bucket(given: dict[str, str], folder: str) -> None:
    spec = DestinationSpec(descriptor="storj", params={"bucketName": "b", **given})
    assert bucket_folder(spec, NOBODY) == (folder, False)
    eager = spec.model_copy(update={"params": spec.params | {"overwrite": True}})
    assert bucket_folder(eager, NOBODY) == (folder, True)
