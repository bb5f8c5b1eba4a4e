"""The published names of data sources and destinations."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

from gridloom.errors import BadInput


class Descriptor(StrEnum):
    """Where data may come from or go to."""

    AWS = "aws"  #: the same as S3
    S3 = "s3"
    GCP = "gcp"
    STORJ = "storj"
    URL = "url"
    FILE = "file"
    BUCKET = "bucket"
    BYPASS = "bypass"


S3_KINDS = frozenset({Descriptor.AWS, Descriptor.S3, Descriptor.GCP, Descriptor.STORJ})
SOURCES = frozenset(Descriptor) - {Descriptor.BUCKET}
DESTINATIONS = frozenset(Descriptor) - {Descriptor.URL, Descriptor.FILE}


def known_descriptor(descriptor: str, allowed: frozenset[Descriptor], field: str) -> Descriptor:
    """Return the descriptor if it is known and allowed in its place; `field` is "dataSource" or "dataDestination".

    Raises:
        BadInput: when it is not.
    """
    names = ", ".join(sorted(allowed))
    place = f"{field}.dataSourceDescriptor"
    if descriptor not in list(Descriptor):
        raise BadInput(f"{place} {descriptor[:60]!r} is unknown; use one of {names}", field=place)
    if descriptor not in allowed:
        raise BadInput(f"{descriptor} can't be used as {place}; use one of {names}", field=place)
    return Descriptor(descriptor)


def check_texts(params: Mapping[str, Any], names: tuple[str, ...], field: str) -> None:
    """Refuse params of these names that are given but are no text.

    Raises:
        BadInput: naming the first of them.
    """
    for name in names:
        if params.get(name) is not None and not isinstance(params[name], str):
            raise BadInput(f"{field}.params.{name} must be a string", field=f"{field}.params.{name}")
