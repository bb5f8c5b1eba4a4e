"""Every kind of destination: what its params must look like, and what becomes of a job's output there."""

from collections.abc import Mapping
from typing import Any

from gridloom.errors import AttemptFailed, BadInput
from gridloom.states import EndReason
from storage.descriptors import DESTINATIONS, S3_KINDS, Descriptor, check_bucket_params, known_descriptor

#: Whether the fabric keeps the output in its own store, for the kinds built into this version.
KEEPS_OUTPUT: dict[Descriptor, bool] = {Descriptor.BUCKET: True, Descriptor.BYPASS: False}
_FIELD = "dataDestination"


def check_destination_kind(descriptor: str) -> Descriptor:
    """Check only that a descriptor is known and may be a destination.

    Raises:
        BadInput: naming the field.
    """
    return known_descriptor(descriptor, DESTINATIONS, _FIELD)


def check_destination(descriptor: str, params: Mapping[str, Any]) -> None:
    """Check a job's destination; `bucket` and `bypass` take no params and mind none.

    Raises:
        BadInput: naming the field.
    """
    if check_destination_kind(descriptor) in S3_KINDS:
        check_bucket_params(params, _FIELD, name_required=False)


def keeps_output(descriptor: str) -> bool:
    """Return whether output for this destination is kept in the fabric's own store.

    Raises:
        AttemptFailed: when the kind is not built into this version.
    """
    try:
        return KEEPS_OUTPUT[check_destination_kind(descriptor)]
    except (BadInput, KeyError) as error:
        problem = f"destination {descriptor!r} is not built into this version; use {', '.join(KEEPS_OUTPUT)}"
        raise AttemptFailed(EndReason.DESTINATION, problem) from error
