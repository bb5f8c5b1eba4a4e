"""Talks to one bucket's server: boto3 for every call, obstore for moving bytes as long as the server takes it."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar

import structlog

from storage.buckets.access import Access
from storage.buckets.dialects import DIALECTS, is_region
from storage.buckets.failures import Failure
from storage.buckets.memory import MemoryBudget
from storage.buckets.objects import Body, Label, Stored

if TYPE_CHECKING:
    from storage.buckets.clients import Clients
    from storage.buckets.service_client import ServiceClient
    from storage.buckets.store_client import StoreClient

log = structlog.get_logger()
_MOST_REGIONS = 3  # that are followed: every one leaves clients behind
_MEMORY = 96 << 20  # for bodies that a call holds whole
T = TypeVar("T")


class Session:
    """Both clients of one bucket, and what was learnt of its server; raises Failure on every call.

    `conditional_puts`, `bulk_deletes` and `md5_etags` tell what the server can be relied on for.
    """

    def __init__(self, access: Access) -> None:
        self.access = access
        self.conditional_puts = DIALECTS[access.place.kind].conditional_puts
        self.bulk_deletes = True
        self.md5_etags = True
        self.pool = ThreadPoolExecutor(access.transfers, "bucket")
        self.memory = MemoryBudget(_MEMORY)
        self._fast = True
        self._lock = threading.Lock()
        self._opened: Clients | None = None
        self._left: list[Clients] = []
        self._signers: dict[str, ServiceClient] = {}

    def call(self, operation: str, **params: Any) -> Any:
        """Make one of boto3's calls on the bucket and return its answer."""
        return self._in_region(lambda clients: clients.service.call(operation, **params))

    def get(self, key: str, offset: int, length: int | None, etag: str, block: int) -> Body:
        """Ask for bytes of an object, of which there is at least one behind `offset`."""
        return self._either(
            key,
            lambda fast: fast.get(key, offset, length, etag, block),
            lambda service: service.get(key, offset, length, etag, block),
        )

    def put(self, key: str, data: bytes, md5: bytes, label: Label, *, create: bool) -> Stored:
        """Store bytes in one call; with `create` the server refuses when the key is taken."""

        def plain(service: "ServiceClient") -> Stored:
            return service.put(key, data, md5, label, create=create)

        if not self.md5_etags:
            return self._in_region(lambda clients: plain(clients.service))
        try:
            return self._either(key, lambda fast: fast.put(key, data, label, create=create), plain)
        except Failure as failure:
            if not (create and failure.unreachable):
                raise
        try:  # again, which obstore does not do where there is a condition
            return plain(self._clients().service)
        except Failure as failure:
            failure.retried = True
            raise

    def without_conditions(self, failure: Failure) -> bool:
        """Tell whether a conditional put failed because the server knows none, and ask for no more of them."""
        if not failure.unsupported or not self.access.place.endpoint:
            return False  # Amazon's own does
        self.conditional_puts = False
        log.info("bucket_puts_without_conditions", bucket=self.access.place.bucket, code=failure.code)
        return True

    def presign(self, endpoint: str, params: dict[str, str], expires_s: int) -> str:
        """Return a URL for reading an object; `endpoint` is the server's public name, empty for the one in use."""
        if not endpoint:
            return self._clients().service.presign(params, expires_s)
        with self._lock:
            if endpoint not in self._signers:
                self._signers[endpoint] = _clients_module().link_client(self.access, endpoint)
            signer = self._signers[endpoint]
        return signer.presign(params, expires_s)

    def close(self) -> None:
        """Let go of connections and threads."""
        self.pool.shutdown(cancel_futures=True)
        with self._lock:
            for clients in (*self._left, *((self._opened,) if self._opened else ())):
                clients.service.close()
            self._left, self._opened = [], None

    def _either(
        self, key: str, fast: "Callable[[StoreClient], T]", plain: "Callable[[ServiceClient], T]"
    ) -> T:
        def attempt(clients: "Clients") -> T:
            if not self._fast or clients.store is None or not clients.store.takes(key):
                return plain(clients.service)
            try:
                return fast(clients.store)
            except Failure as failure:
                if failure.sure:
                    raise
                refusal = failure
            result = plain(clients.service)
            self._leave_fast(refusal)
            return result

        return self._in_region(attempt)

    def _in_region(self, attempt: "Callable[[Clients], T]") -> T:
        clients = self._clients()
        try:
            return attempt(clients)
        except Failure as failure:
            if not (failure.wrong_region and self._follow_region(clients, failure)):
                raise
        return attempt(self._clients())

    def _clients(self) -> "Clients":
        if self._opened is not None:
            return self._opened
        with self._lock:
            if self._opened is None:
                self._opened = _clients_module().open_clients(self.access)
            return self._opened

    def _leave_fast(self, failure: Failure) -> None:
        with self._lock:
            said, self._fast = not self._fast, False
        if not said:
            log.info(
                "bucket_client_changed",
                bucket=self.access.place.bucket,
                server=self.access.place.endpoint or self.access.place.kind,
                status=failure.status,
                code=failure.code,
                reason=failure.message[:200],
            )

    def _follow_region(self, refused: "Clients", failure: Failure) -> bool:
        """Go where the server says that the bucket lies; tell whether that is elsewhere."""
        with self._lock:
            if self._opened is not refused:
                return True  # another thread went
            failure.region = failure.region or refused.service.region()
            if failure.region == self.access.region or len(self._left) == _MOST_REGIONS:
                return False
            if not is_region(failure.region):
                return False
            self.access = replace(self.access, region=failure.region)
            self._left.append(refused)
            self._opened = _clients_module().open_clients(self.access)
            self._signers.clear()
        log.info("bucket_region_followed", bucket=self.access.place.bucket, region=failure.region)
        return True


def _clients_module() -> Any:
    """Load boto3, 0.3 s and 30 MB, once a bucket is really asked."""
    from storage.buckets import clients

    return clients
