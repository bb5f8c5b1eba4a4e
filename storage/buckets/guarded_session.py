"""Sends boto3's requests to user-given endpoints over connections whose addresses were judged.

As in `sources.guarded_http` the name is resolved once, every address is judged, and the socket goes to one of those,
while Host, SNI and the certificate use the name. Proxies from the environment are left out: they would resolve by
themselves. botocore follows no redirects to other hosts.
"""

import os
import socket
from typing import Any

from botocore.awsrequest import (
    AWSHTTPConnection,
    AWSHTTPConnectionPool,
    AWSHTTPSConnection,
    AWSHTTPSConnectionPool,
)
from botocore.exceptions import HTTPClientError
from botocore.httpsession import URLLib3Session
from urllib3.exceptions import NewConnectionError
from urllib3.util.connection import create_connection

from gridloom.errors import AddressRefused
from gridloom.net_guard import Lookup, PrivateHosts, addresses_of
from storage.buckets.access import Access


class GuardedSession(URLLib3Session):  # type: ignore[misc]  # botocore is not annotated
    """Takes the place of a client's own session; raises AddressRefused at once, without retries."""

    def __init__(self, access: Access, *, timeout: tuple[float, float], connections: int) -> None:
        super().__init__(
            verify=os.environ.get("AWS_CA_BUNDLE") or True,
            proxies={},
            timeout=timeout,
            max_pool_connections=connections,
            socket_options=[
                (socket.IPPROTO_TCP, socket.TCP_NODELAY, 1),
                (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
            ],
        )
        self._manager.pool_classes_by_scheme = _pools(access.allow, access.lookup)

    def guard(self, service: Any) -> None:
        """Send all requests of a client of boto3 from now on; "before-send" is botocore's own hook for that."""
        service.meta.events.register("before-send.s3", lambda request, **_: self.send(request))

    def send(self, request: Any) -> Any:
        """Send one request and return the answer."""
        try:
            return super().send(request)
        except HTTPClientError as error:
            cause = error.kwargs.get("error")
            if isinstance(cause, AddressRefused):
                raise cause from None
            raise


def _pools(allow: PrivateHosts, lookup: Lookup) -> dict[str, type]:
    class Plain(AWSHTTPConnection):  # type: ignore[misc]
        def _new_conn(self) -> socket.socket:
            return _connect(self, allow, lookup)

    class Tls(AWSHTTPSConnection):  # type: ignore[misc]
        def _new_conn(self) -> socket.socket:
            return _connect(self, allow, lookup)

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
    for address in addresses:
        try:
            return create_connection(
                (address, connection.port), connection.timeout, socket_options=connection.socket_options
            )
        except OSError as error:
            failure = error
    raise NewConnectionError(connection, f"no address of {connection.host} answers: {failure}")
