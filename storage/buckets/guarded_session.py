"""Sends boto3's requests to user-given endpoints over connections whose addresses were judged, and bounds the answers.

As in `sources.guarded_http` the name is resolved once, every address is judged, and the socket goes to one of those,
while Host, SNI and the certificate use the name. Proxies from the environment are left out: they would resolve by
themselves. botocore follows no redirects to other hosts. It has no bounds either for how long a server drips an answer,
nor for one that it takes into memory whole.
"""

import os
import socket
import ssl
import time
from typing import IO, Any

from botocore.awsrequest import (
    AWSHTTPConnection,
    AWSHTTPConnectionPool,
    AWSHTTPSConnection,
    AWSHTTPSConnectionPool,
)
from botocore.exceptions import HTTPClientError
from botocore.httpsession import URLLib3Session
from urllib3.exceptions import HTTPError, NewConnectionError, ProtocolError
from urllib3.util.connection import create_connection

from gridloom.errors import AddressRefused
from gridloom.net_guard import Lookup, PrivateHosts, addresses_of
from storage.buckets.access import Access
from storage.buckets.failures import Failure

_ANSWER_BYTES = 4 << 20  # a thousand keys of 1,024 bytes take three and a half
_BLOCK = 1 << 16
_MOST_LINES = 100
_MOST_ADDRESSES = 8  # of a name, each with the time limit to itself


class GuardedSession(URLLib3Session):  # type: ignore[misc]  # botocore is not annotated
    """Takes the place of a client's own session; raises AddressRefused and Failure at once, without retries."""

    def __init__(self, access: Access, *, connections: int) -> None:
        super().__init__(
            verify=os.environ.get("AWS_CA_BUNDLE") or True,
            proxies={},
            timeout=(access.patience.connect_s, access.patience.read_s),
            max_pool_connections=connections,
            socket_options=[
                (socket.IPPROTO_TCP, socket.TCP_NODELAY, 1),
                (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
            ],
        )
        self._manager.pool_classes_by_scheme = _pools(access.allow, access.lookup, access.patience.answer_s)
        self._manager.connection_pool_kw["ssl_context"].sslsocket_class = _TlsSocket

    def guard(self, service: Any) -> None:
        """Send all requests of a client of boto3 from now on; "before-send" is botocore's own hook for that."""
        service.meta.events.register("before-send.s3", lambda request, **_: self.send(request))

    def send(self, request: Any) -> Any:
        """Send one request and return the answer; only the body of an object is left to be read."""
        is_object, request.stream_output = request.stream_output, True
        try:
            answer = super().send(request)
            if not (is_object and answer.status_code < 300):
                answer._content = _whole(answer.raw)  # noqa: SLF001 - what botocore would do by itself, without bounds
            return answer
        except HTTPError as error:
            raise HTTPClientError(error=error) from None
        except HTTPClientError as error:
            cause = error.kwargs.get("error")
            if isinstance(cause, AddressRefused | Failure):
                raise cause from None
            raise
        finally:
            request.stream_output = is_object


def _whole(raw: Any) -> bytes:
    blocks, size = [], 0
    while block := raw.read(_BLOCK):
        blocks.append(block)
        size += len(block)
        if size > _ANSWER_BYTES:
            raw.close()
            raise Failure(
                code="AnswerTooLarge", message=f"the server's answer is larger than {_ANSWER_BYTES} bytes"
            )
    body = b"".join(blocks)
    if b"<!DOCTYPE" in body.replace(b"\0", b""):  # in UTF-16 too
        raise Failure(code="MalformedAnswer", message="the server's answer declares a document type")
    return body


class _Deadline:
    """Of a socket: `until` this time of the monotonic clock it receives."""

    until = float("inf")

    def recv_into(self, *args: Any) -> int:
        if time.monotonic() > self.until:
            raise Failure(message="the server drips its answer", unreachable=True)
        return super().recv_into(*args)  # type: ignore[misc,no-any-return]


class _PlainSocket(_Deadline, socket.socket):
    pass


class _TlsSocket(_Deadline, ssl.SSLSocket):
    pass


def _pools(allow: PrivateHosts, lookup: Lookup, answer_s: float) -> dict[str, type]:
    class Guarded:
        sock: Any

        def _new_conn(self) -> socket.socket:
            return _connect(self, allow, lookup)

        def connect(self) -> None:
            super().connect()  # type: ignore[misc]
            self.sock.until = time.monotonic() + answer_s

        def request(self, *args: Any, **kwargs: Any) -> None:
            if self.sock is not None:
                self.sock.until = time.monotonic() + answer_s
            super().request(*args, **kwargs)  # type: ignore[misc]

        def _consume_headers(self, fp: IO[bytes]) -> None:
            # botocore's own goes on for ever when the connection ends.
            if not any(fp.readline(_BLOCK) == b"\r\n" for _ in range(_MOST_LINES)):
                raise ProtocolError("the answer 100 Continue has no end")

    class Plain(Guarded, AWSHTTPConnection):  # type: ignore[misc]
        pass

    class Tls(Guarded, AWSHTTPSConnection):  # type: ignore[misc]
        pass

    class PlainPool(AWSHTTPConnectionPool):  # type: ignore[misc]
        ConnectionCls = Plain

    class TlsPool(AWSHTTPSConnectionPool):  # type: ignore[misc]
        ConnectionCls = Tls

    return {"http": PlainPool, "https": TlsPool}


def _connect(connection: Any, allow: PrivateHosts, lookup: Lookup) -> socket.socket:
    try:
        addresses = addresses_of(connection.host.strip("[]"), connection.port, allow, lookup)
    except OSError as error:
        raise NewConnectionError(connection, f"the name can't be resolved: {error.strerror}") from error
    failure: OSError | None = None
    for address in addresses[:_MOST_ADDRESSES]:
        try:
            made = create_connection(
                (address, connection.port), connection.timeout, socket_options=connection.socket_options
            )
        except OSError as error:
            failure = error
        else:
            timed = _PlainSocket(made.family, made.type, made.proto, fileno=made.detach())
            timed.settimeout(connection.timeout)
            return timed
    raise NewConnectionError(connection, f"no address of {connection.host} answers: {failure}")
