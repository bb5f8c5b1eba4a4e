"""A look at a data source before a job uses it: is it there, what is it called, how large is it."""

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from pydantic.alias_generators import to_camel

from gridloom.errors import AttemptFailed, BadInput
from gridloom.net_guard import PrivateHosts
from gridloom.sources import BYPASS_DATA
from storage.buckets.bucket import ObjectInfo
from storage.descriptors import Descriptor
from storage.probing import Files, Found, Outcome
from storage.sources import bypass, url
from storage.sources.catalog import check_source

_PATIENCE = url.Conditions(connect_s=5, read_s=10, total_s=15)
_AT_A_TIME = 16  # of a list; the others are not looked at
_READABLE = Outcome(permissions={"read": True})


Probe = Callable[[Mapping[str, Any], PrivateHosts], Found]


def _look_at_urls(params: Mapping[str, Any], allow: PrivateHosts) -> Found:
    given = params["url"]
    urls = list(dict.fromkeys(given if isinstance(given, list) else [given]))
    with ThreadPoolExecutor(_AT_A_TIME, thread_name_prefix="look") as pool:
        infos = list(pool.map(lambda it: _look_at_url(it, params, allow), urls[:_AT_A_TIME]))
    if len(urls) == 1:
        return _one_url(infos[0])
    files = Files(
        files=tuple(_file(info.name, info.size) for info in infos), truncated=len(urls) > len(infos)
    )
    return Found(name="", path="", size=files.size, files=files, outcome=_READABLE)


def _look_at_url(address: str, params: Mapping[str, Any], allow: PrivateHosts) -> url.UrlInfo:
    try:
        return url.look_at_url(address, allow=allow, auth=url.credentials_of(params), conditions=_PATIENCE)
    except AttemptFailed as error:
        raise BadInput(error.message, field="dataSource.params.url") from error


def _one_url(info: url.UrlInfo) -> Found:
    properties = {to_camel(name.lower().replace("-", "_")): value for name, value in info.headers.items()}
    return Found(
        name=info.name,
        path=info.url,
        size=info.size,
        properties=properties,
        url=info.url,
        files=Files(files=(_file(info.name, info.size),)),
        outcome=_READABLE,
    )


def _look_at_file(params: Mapping[str, Any], _allow: PrivateHosts) -> Found:
    name = str(params.get("name") or "")
    # What the file will be is known when it is there, and only a job has a place to put it.
    return Found(name=name, path=name, size=None)


def _look_at_bypass(_params: Mapping[str, Any], _allow: PrivateHosts) -> Found:
    name, size = bypass.FILE_NAME, len(BYPASS_DATA)
    return Found(name=name, path=name, size=size, files=Files(files=(_file(name, size),)))


def _file(name: str, size: int | None) -> ObjectInfo:
    return ObjectInfo(key=name, size=size or 0, etag="")


PROBES: dict[Descriptor, Probe] = {
    Descriptor.URL: _look_at_urls,
    Descriptor.FILE: _look_at_file,
    Descriptor.BYPASS: _look_at_bypass,
}


def probe_source(descriptor: str, params: Mapping[str, Any], allow: PrivateHosts) -> Found:
    """Look at a source that is in no bucket; that of a url takes up to 15 s.

    Raises:
        BadInput: when its params can't be right, or it can't be had.
    """
    check_source(descriptor, params, allow)
    return PROBES[Descriptor(descriptor)](params, allow)
