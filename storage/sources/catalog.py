"""Every kind of data source: what its params must look like, and how it is fetched."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from gridloom.errors import AttemptFailed, BadInput
from gridloom.net_guard import PrivateHosts
from gridloom.sources import SourceSpec
from gridloom.states import EndReason
from storage.bucket_params import parse_bucket_params
from storage.descriptors import S3_KINDS, SOURCES, Descriptor, check_texts, known_descriptor
from storage.public_url import check_url
from storage.sources import bucket, bypass, file, url
from storage.sources.context import SourceContext

Fetch = Callable[[SourceSpec, Path, SourceContext], None]

FETCHERS: dict[Descriptor, Fetch] = {
    Descriptor.URL: url.fetch,
    Descriptor.FILE: file.fetch,
    Descriptor.BYPASS: bypass.fetch,
    **dict.fromkeys(sorted(S3_KINDS), bucket.fetch),
}
_FIELD = "dataSource"
_MOST_URLS = 10_000


def check_source_kind(descriptor: str) -> Descriptor:
    """Check only that a descriptor is known and may be a source, as a template needs whose params come later.

    Raises:
        BadInput: naming the field.
    """
    return known_descriptor(descriptor, SOURCES, _FIELD)


def check_source(descriptor: str, params: Mapping[str, Any], allow: PrivateHosts) -> None:
    """Check a job's data source as far as can be told without the network.

    Raises:
        BadInput: naming the field.
    """
    kind = check_source_kind(descriptor)
    if kind in S3_KINDS:
        parse_bucket_params(kind, params, _FIELD, allow)
    if kind is Descriptor.URL:
        check_texts(params, ("name", "username", "password"), _FIELD)
        _check_urls(params.get("url"), allow)


def fetch_source(spec: SourceSpec, into: Path, context: SourceContext) -> None:
    """Fetch a source's files into the existing folder `into`.

    Raises:
        AttemptFailed: when it can't be had.
        OSError: when a file can't be written.
        StoreUnavailable: when the object store can't be read now.
    """
    try:
        kind = check_source_kind(spec.descriptor)
    except BadInput as error:
        raise AttemptFailed(EndReason.DATA_SOURCE, error.message) from error
    FETCHERS[kind](spec, into, context)


def _check_urls(given: Any, allow: PrivateHosts) -> None:
    place = f"{_FIELD}.params.url"
    addresses = given if isinstance(given, list) else [given]
    if not given or not all(addresses):
        raise BadInput(f"{place} is missing", field=place)
    if len(addresses) > _MOST_URLS:
        raise BadInput(f"{place} lists more than {_MOST_URLS} URLs", field=place)
    for address in addresses:
        try:
            check_url(address, allow)
        except BadInput as error:
            raise BadInput(f"{place}: {error.message}", field=place) from error
