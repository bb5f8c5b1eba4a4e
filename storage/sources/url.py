"""Files behind http and https URLs, fetched within bounds and never from a private network."""

import errno
import re
import socket
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import httpcore
import httpx
import stamina

from gridloom.errors import AddressRefused, AttemptFailed, BadInput
from gridloom.file_names import safe_file_name
from gridloom.net_guard import Lookup, PrivateHosts
from gridloom.sources import SourceSpec
from gridloom.states import EndReason
from storage.public_url import check_url
from storage.sources.context import Progress, SourceContext, ignore_progress
from storage.sources.guarded_http import GuardedTransport, NameUnknown
from storage.sources.local_paths import make_file
from storage.sources.transfers import Transfers

MAX_REDIRECTS = 5
_SIZE = re.compile(r"[0-9]{1,18}")
_TRY_AGAIN = frozenset({408, 425, 429})
_SHOWN_HEADERS = ("Content-Type", "Last-Modified", "ETag", "Accept-Ranges", "Content-Disposition")
_HEADERS = {"Accept-Encoding": "identity", "User-Agent": "gridloom"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Conditions:
    """How patiently a URL is fetched; `total_s` covers all tries together."""

    connect_s: float = 10
    read_s: float = 30
    total_s: float = 6 * 3600
    tries: int = 3
    wait_s: float = 0.5
    lookup: Lookup = socket.getaddrinfo


DEFAULT_CONDITIONS = Conditions()


@dataclass(frozen=True, slots=True, kw_only=True)
class UrlInfo:
    """What a server says of a file; `url` is where redirects led, `size` None when it doesn't tell."""

    url: str
    name: str
    size: int | None
    headers: dict[str, str]


class _Transient(AttemptFailed):
    """Raised when the same request may succeed soon."""

    def __init__(self, message: str) -> None:
        super().__init__(EndReason.SOURCE_UNAVAILABLE, message)


def fetch(spec: SourceSpec, into: Path, context: SourceContext) -> None:
    """Fetch the URL of the params `url`, or each of a list, with `username` and `password` if given.

    Every file is named after its URL's path; of those with one name all but the first get a digest in theirs.

    Raises:
        AttemptFailed: as `fetch_url`.
        Exception: whatever the context's `on_progress` raises.
    """
    given = spec.params.get("url", "")
    urls = dict.fromkeys(given if isinstance(given, list) else [given])
    transfers = Transfers(context)
    files = ((url, make_file(into, file_name(url, context.allow), url)) for url in urls)
    transfers.each(partial(_fetched, spec, context, transfers), files)


def file_name(url: str, allow: PrivateHosts) -> str:
    """Return what the file behind a URL is called; raises as `fetch_url`."""
    return safe_file_name(unquote(_judged(url, allow).path))


def fetch_url(
    url: str,
    path: Path,
    *,
    limit_bytes: int,
    allow: PrivateHosts,
    auth: tuple[str, str] | None = None,
    on_progress: Progress = ignore_progress,
    conditions: Conditions = DEFAULT_CONDITIONS,
) -> None:
    """Fetch a URL into a file; the bytes are kept as they are sent.

    Redirects are followed and judged like the URL itself; credentials stay with the host they are for. Server errors,
    resets and time-outs are tried again from the start.

    Raises:
        AttemptFailed: naming host and cause: with SOURCE_UNAVAILABLE when it can't be reached now, DATA_SOURCE when it
            can't be had, or DISK_FULL.
    """
    parsed = _judged(url, allow)
    deadline = time.monotonic() + conditions.total_s
    for attempt in stamina.retry_context(
        on=_Transient,
        attempts=conditions.tries,
        timeout=conditions.total_s,
        wait_initial=conditions.wait_s,
        wait_jitter=conditions.wait_s,
    ):
        with attempt, _failures_named(parsed.host):
            transport = GuardedTransport(allow, deadline, conditions.lookup)
            with _client(transport, conditions) as client, _answer(client, parsed, auth) as response:
                _check_status(response)
                _save(response, path, limit_bytes, on_progress)


def look_at_url(
    url: str,
    *,
    allow: PrivateHosts,
    auth: tuple[str, str] | None = None,
    conditions: Conditions = DEFAULT_CONDITIONS,
) -> UrlInfo:
    """Ask for a URL once, just as a fetch would, and read nothing of the body.

    Raises:
        AttemptFailed: as `fetch_url`.
    """
    parsed = _judged(url, allow)
    transport = GuardedTransport(allow, time.monotonic() + conditions.total_s, conditions.lookup)
    with (
        _failures_named(parsed.host),
        _client(transport, conditions) as client,
        _answer(client, parsed, auth) as response,
    ):
        _check_status(response)
        return UrlInfo(
            url=str(response.request.url),
            name=safe_file_name(unquote(parsed.path)),
            size=_declared(response),
            headers={name: response.headers[name] for name in _SHOWN_HEADERS if name in response.headers},
        )


def credentials_of(params: Mapping[str, Any]) -> tuple[str, str] | None:
    """Return the user name and password of a url source's params, None when both are empty."""
    username, password = params.get("username") or "", params.get("password") or ""
    return (username, password) if username or password else None


def _judged(url: str, allow: PrivateHosts) -> httpx.URL:
    try:
        return check_url(url, allow)
    except BadInput as error:
        raise AttemptFailed(EndReason.DATA_SOURCE, f"the data source: {error.message}") from error


def _fetched(spec: SourceSpec, context: SourceContext, transfers: Transfers, file: tuple[str, Path]) -> str:
    (url, path), so_far = file, 0

    def progress(fetched: int) -> None:
        nonlocal so_far
        before, so_far = so_far, fetched
        transfers.moved(fetched - before)  # less than none when a new try begins

    fetch_url(
        url,
        path,
        limit_bytes=context.limit_bytes,
        allow=context.allow,
        auth=credentials_of(spec.params),
        on_progress=progress,
    )
    return f"{path.name}, {so_far} bytes"


def _client(transport: httpx.BaseTransport, conditions: Conditions) -> httpx.Client:
    timeout = httpx.Timeout(conditions.read_s, connect=conditions.connect_s)
    return httpx.Client(transport=transport, timeout=timeout, headers=_HEADERS, trust_env=False)


@contextmanager
def _answer(client: httpx.Client, url: httpx.URL, auth: tuple[str, str] | None) -> Iterator[httpx.Response]:
    """Give the answer after all redirects; the bodies of redirects are never read."""
    request = client.build_request("GET", url)
    response = client.send(request, stream=True, auth=auth)
    try:
        for _ in range(MAX_REDIRECTS):
            if response.next_request is None:
                break
            response.close()
            response = client.send(response.next_request, stream=True, auth=None)
        if response.next_request is not None:
            raise _refused(url.host, f"redirects more than {MAX_REDIRECTS} times")
        yield response
    finally:
        response.close()


def _check_status(response: httpx.Response) -> None:
    if response.is_success:
        return
    host, status = response.request.url.host, response.status_code
    message = f"the data source at {host} answers HTTP {status} {response.reason_phrase}".rstrip()
    if status >= 500 or status in _TRY_AGAIN:
        raise _Transient(message)
    raise AttemptFailed(EndReason.DATA_SOURCE, message)


def _declared(response: httpx.Response) -> int | None:
    """Return the size that a server declares, None when it declares none that can be."""
    found = _SIZE.fullmatch(response.headers.get("Content-Length", ""))
    return int(found[0]) if found else None


def _save(response: httpx.Response, path: Path, limit_bytes: int, on_progress: Progress) -> None:
    host = response.request.url.host
    declared = _declared(response)
    if declared is not None and declared > limit_bytes:
        raise _refused(host, f"holds {declared} bytes; the limit is {limit_bytes}")
    fetched = 0
    with path.open("wb", buffering=1 << 20) as file:
        for piece in response.iter_raw():
            fetched += len(piece)
            if fetched > limit_bytes:
                raise _refused(host, f"sends more than the limit of {limit_bytes} bytes")
            file.write(piece)
            on_progress(fetched)


@contextmanager
def _failures_named(host: str) -> Iterator[None]:
    try:
        yield
    except NameUnknown as error:
        raise _refused(host, f"can't be fetched: {error}") from error
    except (httpcore.TimeoutException, httpcore.NetworkError, httpcore.ProtocolError) as error:
        cause = str(error) or type(error).__name__
        raise _Transient(f"the data source at {host} can't be fetched: {cause}") from error
    except (httpx.HTTPError, AddressRefused) as error:
        raise _refused(host, f"can't be fetched: {error}") from error
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise AttemptFailed(
                EndReason.DISK_FULL, f"no space left for the data source from {host}"
            ) from error
        raise


def _refused(host: str, problem: str) -> AttemptFailed:
    return AttemptFailed(EndReason.DATA_SOURCE, f"the data source at {host} {problem}")
