"""A file behind an http or https URL, fetched within bounds and never from a private network."""

import errno
import socket
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
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
from storage.sources.guarded_http import GuardedTransport

MAX_REDIRECTS = 5
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


def fetch(spec: SourceSpec, into: Path, context: SourceContext) -> list[Path]:
    """Fetch the URL of the params `url`, with `username` and `password` if given, and return the file.

    Raises:
        AttemptFailed: as `fetch_url`.
    """
    path = fetch_url(
        spec.params.get("url", ""),
        into,
        limit_bytes=context.limit_bytes,
        allow=context.allow,
        auth=credentials_of(spec.params),
        on_progress=context.on_progress,
    )
    return [path]


def fetch_url(
    url: str,
    into: Path,
    *,
    limit_bytes: int,
    allow: PrivateHosts,
    auth: tuple[str, str] | None = None,
    on_progress: Progress = ignore_progress,
    conditions: Conditions = DEFAULT_CONDITIONS,
) -> Path:
    """Fetch a URL into a new file below `into`, named after the URL's path; the bytes are kept as they are sent.

    Redirects are followed and judged like the URL itself; credentials stay with the host they are for. Server errors,
    resets and time-outs are tried again from the start.

    Raises:
        AttemptFailed: with DATA_SOURCE when it can't be had, naming host and cause; with DISK_FULL.
    """
    try:
        parsed = check_url(url, allow)
    except BadInput as error:
        raise AttemptFailed(EndReason.DATA_SOURCE, f"the data source: {error.message}") from error
    path = into / safe_file_name(unquote(parsed.path))
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
    return path


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
    try:
        parsed = check_url(url, allow)
    except BadInput as error:
        raise AttemptFailed(EndReason.DATA_SOURCE, f"the data source: {error.message}") from error
    transport = GuardedTransport(allow, time.monotonic() + conditions.total_s, conditions.lookup)
    with (
        _failures_named(parsed.host),
        _client(transport, conditions) as client,
        _answer(client, parsed, auth) as response,
    ):
        _check_status(response)
        declared = response.headers.get("Content-Length", "")
        return UrlInfo(
            url=str(response.request.url),
            name=safe_file_name(unquote(parsed.path)),
            size=int(declared) if declared.isdigit() else None,
            headers={name: response.headers[name] for name in _SHOWN_HEADERS if name in response.headers},
        )


def credentials_of(params: Mapping[str, Any]) -> tuple[str, str] | None:
    """Return the user name and password of a url source's params, None when both are empty."""
    username, password = params.get("username") or "", params.get("password") or ""
    return (username, password) if username or password else None


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
    kind = _Transient if status >= 500 or status in _TRY_AGAIN else AttemptFailed
    raise kind(EndReason.DATA_SOURCE, message)


def _save(response: httpx.Response, path: Path, limit_bytes: int, on_progress: Progress) -> None:
    host = response.request.url.host
    declared = response.headers.get("Content-Length", "")
    if declared.isdigit() and int(declared) > limit_bytes:
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
    except (httpcore.TimeoutException, httpcore.NetworkError, httpcore.ProtocolError) as error:
        cause = str(error) or type(error).__name__
        raise _Transient(
            EndReason.DATA_SOURCE, f"the data source at {host} can't be fetched: {cause}"
        ) from error
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
