"""The blocking and the asyncio client of the four APIs."""

from gridloom.access import Access, find_access
from gridloom.client.drivers import AsyncDriver, Driver
from gridloom.client.operations import Operations
from gridloom.client.session import NoteWait, Session
from gridloom.client.web import httpx
from gridloom.errors import ClientError

PATIENCE_S = 60.0


def _keep_quiet(_error: ClientError) -> None:
    pass


class Client(Operations, Driver):
    """The four APIs under one account, blocking; not for several threads at once.

    Without arguments it finds the fabric as commands do, see `gridloom.access`. Once the fabric has answered, reads
    wait up to `patience_s` for it to come back when it goes away; `on_wait` is told why when a wait begins.

    Raises:
        SetupFailed: when nothing tells where the fabric is or which key to use.
        ClientError: when the URL is none.
    """

    def __init__(
        self,
        url: str = "",
        api_key: str = "",
        *,
        profile: str = "",
        access: Access | None = None,
        patience_s: float = PATIENCE_S,
        on_wait: NoteWait = _keep_quiet,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        found = access or find_access(url, api_key, profile)
        super().__init__(Session(found, patience_s=patience_s, note_wait=on_wait), transport)
        self.url = found.url


class AsyncClient(Operations, AsyncDriver):
    """The four APIs under one account, with asyncio; otherwise the same as `Client`."""

    def __init__(
        self,
        url: str = "",
        api_key: str = "",
        *,
        profile: str = "",
        access: Access | None = None,
        patience_s: float = PATIENCE_S,
        on_wait: NoteWait = _keep_quiet,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        found = access or find_access(url, api_key, profile)
        super().__init__(Session(found, patience_s=patience_s, note_wait=on_wait), transport)
        self.url = found.url
