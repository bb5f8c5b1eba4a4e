"""An httpx transport that connects only where the operator allows, to addresses judged once, until a deadline.

The check sits where the connection is made: the name is resolved once, every address is judged, and the socket goes to
one of those addresses, so neither a redirect nor a name that resolves differently the second time gets around it. The
Host header, SNI and the certificate check still use the name.
"""

import socket
import ssl
import time
from collections.abc import Iterable, Iterator
from typing import Any

import httpcore
import httpx

from gridloom.net_guard import Lookup, PrivateHosts, addresses_of


class NameUnknown(httpcore.ConnectError):
    """Raised when a name is not in the DNS: nothing will be there soon."""


class GuardedTransport(httpx.BaseTransport):
    """Serves one exchange with its redirects; `deadline` is a time of the monotonic clock.

    Raises on requests AddressRefused, and httpcore's errors as they are; httpx.UnsupportedProtocol for anything but
    plain http and https URLs.
    """

    def __init__(self, allow: PrivateHosts, deadline: float, lookup: Lookup = socket.getaddrinfo) -> None:
        # Without a TLS context of its own the pool loads certificates only when it meets https: 40 ms saved.
        self._pool = httpcore.ConnectionPool(
            max_keepalive_connections=0, network_backend=_GuardedBackend(allow, deadline, lookup)
        )

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Send one request; the caller closes the response."""
        url = request.url
        if url.scheme not in ("http", "https") or not url.host or url.userinfo:
            raise httpx.UnsupportedProtocol(
                "only http and https URLs without user names are fetched", request=request
            )
        response = self._pool.handle_request(
            httpcore.Request(
                method=request.method,
                url=httpcore.URL(
                    scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path
                ),
                headers=request.headers.raw,
                content=request.stream,
                extensions=request.extensions,
            )
        )
        return httpx.Response(
            response.status, headers=response.headers, stream=_Body(response), extensions=response.extensions
        )

    def close(self) -> None:
        """Close every connection."""
        self._pool.close()


class _Body(httpx.SyncByteStream):
    def __init__(self, response: httpcore.Response) -> None:
        self._response = response

    def __iter__(self) -> Iterator[bytes]:
        return self._response.iter_stream()

    def close(self) -> None:
        self._response.close()


class _GuardedBackend(httpcore.NetworkBackend):
    def __init__(self, allow: PrivateHosts, deadline: float, lookup: Lookup) -> None:
        self._plain = httpcore.SyncBackend()
        self._allow = allow
        self._deadline = deadline
        self._lookup = lookup

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        try:
            addresses = addresses_of(host, port, self._allow, self._lookup)
        except OSError as error:
            is_unknown = isinstance(error, socket.gaierror) and error.errno == socket.EAI_NONAME
            kind = NameUnknown if is_unknown else httpcore.ConnectError
            raise kind(f"the name can't be resolved: {error.strerror}") from error
        failure: Exception = httpcore.ConnectError("the name has no address")
        for address in addresses:
            try:
                stream = self._plain.connect_tcp(
                    address, port, _until(self._deadline, timeout), local_address, socket_options
                )
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failure = error
            else:
                return _TimedStream(stream, self._deadline)
        raise failure


class _TimedStream(httpcore.NetworkStream):
    """Ends every wait at the deadline, however slowly bytes drip in."""

    def __init__(self, stream: httpcore.NetworkStream, deadline: float) -> None:
        self._stream = stream
        self._deadline = deadline

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._stream.read(max_bytes, _until(self._deadline, timeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._stream.write(buffer, _until(self._deadline, timeout))

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        stream = self._stream.start_tls(ssl_context, server_hostname, _until(self._deadline, timeout))
        return _TimedStream(stream, self._deadline)

    def close(self) -> None:
        self._stream.close()

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)


def _until(deadline: float, timeout: float | None) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise httpcore.ReadTimeout("the time allowed is over")
    return left if timeout is None else min(left, timeout)
