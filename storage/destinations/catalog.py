"""Every kind of destination: what its params must look like, and which this version serves."""

from collections.abc import Mapping
from typing import Any

from gridloom.errors import BadInput
from gridloom.net_guard import PrivateHosts
from storage.bucket_params import parse_bucket_params
from storage.descriptors import DESTINATIONS, S3_KINDS, Descriptor, known_descriptor

DELIVERED = (Descriptor.BUCKET, Descriptor.BYPASS)  #: the kinds built into this version
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


def check_deliverable(descriptor: str) -> None:
    """Check that this version can deliver to a kind of destination.

    Raises:
        BadInput: naming the field.
    """
    if check_destination_kind(descriptor) not in DELIVERED:
        raise BadInput(
            f"destination {descriptor!r} is not built into this version; use {', '.join(DELIVERED)}",
            field=f"{_FIELD}.dataSourceDescriptor",
        )
