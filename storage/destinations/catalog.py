"""Every kind of destination, and what its params must look like."""

from collections.abc import Mapping
from typing import Any

from gridloom.destinations import DestinationSpec
from gridloom.net_guard import PrivateHosts
from storage.bucket_params import parse_bucket_params
from storage.descriptors import DESTINATIONS, S3_KINDS, Descriptor, known_descriptor

_FIELD = "dataDestination"


def check_destination_kind(descriptor: str) -> Descriptor:
    """Check only that a descriptor is known and may be a destination.

    Raises:
        BadInput: naming the field.
    """
    return known_descriptor(descriptor, DESTINATIONS, _FIELD)


def check_destination(descriptor: str, params: Mapping[str, Any], allow: PrivateHosts) -> None:
    """Check a job's destination as far as can be told without the network; `bucket` and `bypass` mind no params.

    Raises:
        BadInput: naming the field.
    """
    kind = check_destination_kind(descriptor)
    if kind in S3_KINDS:
        parse_bucket_params(kind, params, _FIELD, allow)


def bucket_folder(destination: DestinationSpec, allow: PrivateHosts) -> tuple[str, bool]:
    """Return the folder in a bucket that a destination of an S3 kind names, and whether files there may be replaced.

    Raises:
        BadInput: naming the member that can't be right.
    """
    found = parse_bucket_params(Descriptor(destination.descriptor), destination.params, _FIELD, allow)
    return found.names[0], found.overwrite
