"""A look at a data source before a job uses it: is it there, what is it called, how large is it."""

from collections.abc import Callable, Mapping
from typing import Any

from pydantic.alias_generators import to_camel

from gridloom.errors import AttemptFailed, BadInput
from gridloom.net_guard import PrivateHosts
from gridloom.sources import BYPASS_DATA
from storage.buckets.bucket import ObjectInfo
from storage.descriptors import Descriptor
from storage.probing import Files, Found, Outcome
from storage.sources import bypass, url
from storage.sources.catalog import check_fetchable, check_source

_PATIENCE = url.Conditions(connect_s=5, read_s=10, total_s=15)


Probe = Callable[[Mapping[str, Any], PrivateHosts], Found]


def _look_at_url(params: Mapping[str, Any], allow: PrivateHosts) -> Found:
    try:
        info = url.look_at_url(
            params["url"], allow=allow, auth=url.credentials_of(params), conditions=_PATIENCE
        )
    except AttemptFailed as error:
        raise BadInput(error.message, field="dataSource.params.url") from error
    properties = {to_camel(name.lower().replace("-", "_")): value for name, value in info.headers.items()}
    return Found(
        name=info.name,
        path=info.url,
        size=info.size,
        properties=properties,
        url=info.url,
        files=_one_file(info.name, info.size),
        outcome=Outcome(permissions={"read": True}),
    )


def _look_at_file(params: Mapping[str, Any], _allow: PrivateHosts) -> Found:
    name = str(params.get("name") or "")
    # What the file will be is known when it is there, and only a job has a place to put it.
    return Found(name=name, path=name, size=None)


def _look_at_bypass(_params: Mapping[str, Any], _allow: PrivateHosts) -> Found:
    size = len(BYPASS_DATA)
    return Found(
        name=bypass.FILE_NAME, path=bypass.FILE_NAME, size=size, files=_one_file(bypass.FILE_NAME, size)
    )


def _one_file(name: str, size: int | None) -> Files:
    return Files(files=(ObjectInfo(key=name, size=size or 0, etag=""),))


PROBES: dict[Descriptor, Probe] = {
    Descriptor.URL: _look_at_url,
    Descriptor.FILE: _look_at_file,
    Descriptor.BYPASS: _look_at_bypass,
}


def probe_source(descriptor: str, params: Mapping[str, Any], allow: PrivateHosts) -> Found:
    """Look at a source that is in no bucket; that of a url takes up to 15 s.

    Raises:
        BadInput: when its params can't be right, it can't be had, or this version doesn't fetch its kind.
    """
    check_source(descriptor, params, allow)
    check_fetchable(descriptor)
    return PROBES[Descriptor(descriptor)](params, allow)
