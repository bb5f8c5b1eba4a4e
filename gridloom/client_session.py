"""One account's HTTP session: exchanges the key for tokens, turns refusals into errors, waits out restarts."""

import time
from collections.abc import Callable
from functools import cached_property
from ipaddress import ip_address
from typing import Any, TypeVar
from urllib.parse import SplitResult, urlsplit

import httpx
import stamina

from gridloom.errors import ClientError, Unreachable

Json = dict[str, Any]
T = TypeVar("T")

_TIMEOUT = httpx.Timeout(60, connect=5)
_RENEW_EARLY_S = 60.0
_AWAY = frozenset({502, 503, 504})


class Session:
    """Calls under one API key.

    Once the fabric has answered, reads wait up to `patience_s` for it to come back when it goes away, so that a
    restart of the control plane is survived. Everything raises ClientError when the fabric refuses and Unreachable
    when it gives no answer.
    """

    def __init__(self, url: str, api_key: str, *, patience_s: float = 0.0) -> None:
        base = _checked_url(url)
        self.url = base.geturl().rstrip("/")
        self._api_key = api_key.strip()
        self._patience_s = patience_s
        self._answered = False
        self._token, self._renew_at = "", 0.0
        # Loading the certificates takes longer than a call on loopback; a plain URL needs none.
        self._http = httpx.Client(
            base_url=self.url,
            timeout=_TIMEOUT,
            verify=base.scheme == "https",
            trust_env=not _is_loopback(base.hostname or ""),
        )

    def close(self) -> None:
        """Close the connections."""
        self._http.close()
        if "_secure" in self.__dict__:
            self._secure.close()

    def call(
        self,
        method: str,
        path: str,
        *,
        body: Json | None = None,
        query: Json | None = None,
        reads: bool = False,
    ) -> Json:
        """Make one call and return the answer's object; `reads` marks calls other than GET that change nothing."""

        def once() -> Json:
            renewed = time.monotonic() >= self._renew_at
            response = self._send(method, path, body, query)
            if response.status_code == 401 and not renewed:
                self._renew_at = 0.0
                response = self._send(method, path, body, query)
            return self._read(response)

        return self.patiently(once) if reads or method == "GET" else once()

    def plainly(self, link: str, send: Callable[[httpx.Client], T]) -> T:
        """Use a link that carries its own signature: no token goes along."""
        if not link.startswith(("http://", "https://")):
            raise ClientError(f"the fabric gave a link that is no URL: {link[:100]!r}")
        secure = link.startswith("https:") and not self.url.startswith("https:")
        return self._reach(lambda: send(self._secure if secure else self._http))

    def patiently(self, call: Callable[[], T]) -> T:
        """Repeat a call that changes nothing until the fabric is back, at most for the session's patience."""
        if not self._patience_s or not self._answered:
            return call()
        for attempt in stamina.retry_context(
            on=_may_pass, attempts=None, timeout=self._patience_s, wait_max=2.0, wait_jitter=0.2
        ):
            with attempt:
                return call()
        raise AssertionError("the last attempt returns or raises")

    def _send(self, method: str, path: str, body: Json | None, query: Json | None) -> httpx.Response:
        headers = {"Authorization": self._access_token()}
        return self._reach(lambda: self._http.request(method, path, json=body, params=query, headers=headers))

    def _access_token(self) -> str:
        now = time.monotonic()
        if now >= self._renew_at:
            body = {"apiKey": self._api_key}
            grant = self._read(self._reach(lambda: self._http.post("/v1/auth/access_token", json=body)))
            self._token = str(grant.get("token") or "")
            self._renew_at = now + max(1.0, float(grant.get("expiresIn") or 0) - _RENEW_EARLY_S)
        return self._token

    def _reach(self, send: Callable[[], T]) -> T:
        try:
            return send()
        except httpx.TransportError as error:
            reason = " ".join(str(error).split()) or type(error).__name__
            raise Unreachable(f"cannot reach {self.url}: {reason}") from error

    def _read(self, response: httpx.Response) -> Json:
        refuse(response)
        self._answered = True
        if not response.content:
            return {}
        try:
            answer = response.json()
        except ValueError:
            answer = None
        if not isinstance(answer, dict):
            raise ClientError(f"{self.url} does not answer like Gridloom", status=response.status_code)
        return answer

    @cached_property
    def _secure(self) -> httpx.Client:
        return httpx.Client(timeout=_TIMEOUT)


def refuse(response: httpx.Response) -> None:
    """Raise ClientError when the answer is not a success.

    The published error body has its message at the top or in `error`, and places in `details`.
    """
    if response.is_success:
        return
    try:
        body = response.json()
    except ValueError:
        body = None
    body = body if isinstance(body, dict) else {}
    inner = body.get("error")
    inner = inner if isinstance(inner, dict) else {}
    candidates = (body.get("message"), inner.get("description"), inner.get("message"))
    message = next((str(it) for it in candidates if it), f"{response.url} answers {response.status_code}")
    raise ClientError(" ".join(message.split()), status=response.status_code, field=_field(body))


def _field(body: Json) -> str:
    violations = [it for detail in body.get("details") or () for it in detail.get("fieldViolations") or ()]
    return str(violations[0].get("field") or "") if violations else ""


def _checked_url(url: str) -> SplitResult:
    try:
        parts = urlsplit(url.strip())
        usable = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:
        usable = False
    if not usable:
        raise ClientError(f"{url!r} is not a URL like http://127.0.0.1:8080")
    return parts


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _may_pass(error: Exception) -> bool:
    return isinstance(error, Unreachable) or (isinstance(error, ClientError) and error.status in _AWAY)
