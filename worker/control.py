"""The control plane as a worker sees it: claims, renewals, commits, each for a whole batch."""

import random
import time
from collections.abc import Callable
from threading import Event, Lock

import httpx
import structlog
from pydantic import BaseModel

from gridloom import frames
from gridloom.errors import GridloomError, LeaseLost, Unauthorized, Unavailable
from gridloom.tls import trusted
from gridloom.wire import (
    CacheReply,
    ChunksRequest,
    ClaimReply,
    ClaimRequest,
    CommitReply,
    CommitRequest,
    HeartbeatReply,
    HeartbeatRequest,
    LogsRequest,
    OutputsPage,
    OutputsRequest,
    PinReply,
    PinRequest,
    RegisterReply,
    RegisterRequest,
    ReleaseRequest,
    ResultsPage,
    StageRequest,
    WarmReply,
    WarmRequest,
)
from gridloom.wire_reuse import ReuseReply, ReuseRequest

log = structlog.get_logger()

_AWAY = frozenset({429, 502, 503, 504})
_TIMEOUT = httpx.Timeout(30, connect=5)
_FIRST_PAUSE_S = 0.05
_LONGEST_PAUSE_S = 2.0
_REFUSAL_CHARS = 300
_BROKEN_LIMIT = 5

Wanted = Callable[[], bool]


class _Broken(Unavailable):
    """The control plane failed in itself: maybe in passing, maybe because of what we send."""


def for_seconds(seconds: float) -> Wanted:
    """Return a condition that holds for so long from now."""
    until = time.monotonic() + seconds
    return lambda: time.monotonic() < until


class ControlPlane:
    """The workers' API; safe for use by many threads.

    A call that gets no answer is repeated while `wanted()` holds, at least once in all; then it raises Unavailable.
    An answer of 409 raises LeaseLost, any other refusal GridloomError. After 401 the worker registers again.
    """

    def __init__(
        self,
        base_url: str,
        join_token: str,
        registration: RegisterRequest,
        *,
        connections: int = 32,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self._join_token = join_token
        self._registration = registration
        self._token = ""
        self._registering = Lock()
        self.stopping = Event()
        self._http = httpx.Client(
            base_url=f"{base_url.rstrip('/')}/internal/v1",
            timeout=_TIMEOUT,
            limits=httpx.Limits(max_connections=connections, max_keepalive_connections=connections),
            # Loading the certificates of the system costs memory that a plain URL doesn't need.
            verify=trusted() if base_url.startswith("https:") else False,
            trust_env=False,
            transport=transport,
        )

    def register(self, wanted: Wanted) -> RegisterReply:
        """Announce the worker; every other call then carries its token."""
        with self._registering:
            return self._register(wanted)

    def claim(self, request: ClaimRequest, wanted: Wanted) -> tuple[ClaimReply, memoryview]:
        """Ask for leases; returns those won and the bytes of small chunks."""
        return frames.unpack(ClaimReply, self._call("POST", "/claim", wanted, model=request).content)

    def heartbeat(self, request: HeartbeatRequest, wanted: Wanted) -> HeartbeatReply:
        """Renew leases."""
        return HeartbeatReply.model_validate_json(
            self._call("POST", "/heartbeat", wanted, model=request).content
        )

    def commit(self, request: CommitRequest, tail: bytes, wanted: Wanted) -> CommitReply:
        """Hand in outcomes; safe to repeat, since attempt numbers decide."""
        reply = self._call("POST", "/commit", wanted, frame=frames.pack(request, tail))
        return CommitReply.model_validate_json(reply.content)

    def release(self, request: ReleaseRequest, wanted: Wanted) -> None:
        """Hand leases back untouched."""
        self._call("POST", "/release", wanted, model=request)

    def logs(self, request: LogsRequest, tail: bytes, wanted: Wanted) -> None:
        """Hand in what running attempts print."""
        self._call("POST", "/logs", wanted, frame=frames.pack(request, tail))

    def chunks(self, request: ChunksRequest, tail: bytes, wanted: Wanted) -> None:
        """Register finished chunks."""
        self._call("POST", "/chunks", wanted, frame=frames.pack(request, tail))

    def outputs(self, request: OutputsRequest, wanted: Wanted) -> None:
        """Register stored output files."""
        self._call("POST", "/outputs", wanted, model=request)

    def output_page(self, job_id: str, attempt: int, after: str, wanted: Wanted) -> OutputsPage:
        """Return a page of the output that an attempt is to deliver, from behind the path `after`."""
        query = {"job_id": job_id, "attempt": str(attempt), "after": after}
        return OutputsPage.model_validate_json(self._call("GET", "/outputs", wanted, query=query).content)

    def phase(self, request: StageRequest, wanted: Wanted) -> None:
        """Say that a stage's own process starts now."""
        self._call("POST", "/phase", wanted, model=request)

    def results(self, job_id: str, attempt: int, from_chunk: int, wanted: Wanted) -> ResultsPage:
        """Return a page of the results that an assemble attempt is to merge."""
        query = {"job_id": job_id, "attempt": str(attempt), "from_chunk": str(from_chunk)}
        return ResultsPage.model_validate_json(self._call("GET", "/results", wanted, query=query).content)

    def pin(self, request: PinRequest, wanted: Wanted) -> PinReply:
        """Report an image's digest; returns the one that the job keeps."""
        return PinReply.model_validate_json(self._call("POST", "/pin", wanted, model=request).content)

    def warm(self, request: WarmRequest, wanted: Wanted) -> WarmReply:
        """Ask what a job that was just submitted will run."""
        return WarmReply.model_validate_json(self._call("POST", "/warm", wanted, model=request).content)

    def reuse(self, request: ReuseRequest, wanted: Wanted) -> ReuseReply:
        """Ask for earlier results of tasks that the worker holds."""
        return ReuseReply.model_validate_json(self._call("POST", "/reuse", wanted, model=request).content)

    def cache(self, scope: str, wanted: Wanted) -> CacheReply:
        """Ask what was uploaded into an owner's cache or the shared one."""
        reply = self._call("GET", "/cache", wanted, query={"scope": scope})
        return CacheReply.model_validate_json(reply.content)

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def _call(
        self,
        method: str,
        path: str,
        wanted: Wanted,
        *,
        model: BaseModel | None = None,
        frame: bytes | None = None,
        query: dict[str, str] | None = None,
    ) -> httpx.Response:
        body = frame if model is None else model.model_dump_json().encode()
        kind = "application/json" if frame is None else frames.CONTENT_TYPE

        def send() -> httpx.Response:
            token = self._token
            try:
                return self._send(method, path, token, kind, body, query)
            except Unauthorized:
                self._renew_token(token, wanted)
                return self._send(method, path, self._token, kind, body, query)

        return self._persist(path, send, wanted)

    def _register(self, wanted: Wanted) -> RegisterReply:
        body = self._registration.model_dump_json().encode()
        answer = self._persist(
            "/register",
            lambda: self._send("POST", "/register", self._join_token, "application/json", body),
            wanted,
        )
        reply = RegisterReply.model_validate_json(answer.content)
        self._token = reply.token
        return reply

    def _renew_token(self, refused: str, wanted: Wanted) -> None:
        with self._registering:
            if self._token == refused:
                log.warning("registering_again")
                self._register(wanted)

    def _persist(self, path: str, send: Callable[[], httpx.Response], wanted: Wanted) -> httpx.Response:
        pause_s, broken = _FIRST_PAUSE_S, 0
        while True:
            try:
                return send()
            except Unavailable as error:
                broken += isinstance(error, _Broken)
                if broken == _BROKEN_LIMIT:
                    raise GridloomError(error.message) from error
                if not wanted() or self.stopping.wait(pause_s * random.uniform(0.5, 1.0)):
                    raise
                log.info("call_repeated", path=path, error=error.message)
                pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)

    def _send(
        self,
        method: str,
        path: str,
        token: str,
        kind: str,
        body: bytes | None = None,
        query: dict[str, str] | None = None,
    ) -> httpx.Response:
        headers = {"Authorization": f"Bearer {token}"}
        if body is not None:
            headers["Content-Type"] = kind
        try:
            response = self._http.request(method, path, content=body, params=query, headers=headers)
        except httpx.TransportError as error:
            raise Unavailable(
                f"the control plane can't be reached: {str(error) or type(error).__name__}"
            ) from error
        return _checked(path, response)


def _checked(path: str, response: httpx.Response) -> httpx.Response:
    if response.is_success:
        return response
    said = f"the control plane answers {path} with {response.status_code}: {response.text[:_REFUSAL_CHARS]}"
    if response.status_code == 401:
        raise Unauthorized(said)
    if response.status_code == 409:
        raise LeaseLost(said)
    if response.status_code == 500:
        raise _Broken(said)
    if response.status_code in _AWAY:
        raise Unavailable(said)
    raise GridloomError(said)
