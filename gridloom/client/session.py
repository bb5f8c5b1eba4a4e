"""One account's session, without sockets: exchanges the credential for tokens, waits out restarts, reads answers."""

import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from gridloom.access import Access
from gridloom.client.refusals import read, refuse
from gridloom.client.steps import Bear, Call, Json, Read, Send, Sleep, Step, T, Talk
from gridloom.client.web import httpx
from gridloom.errors import ClientError, Unreachable
from gridloom.profiles import try_lock

_RENEW_EARLY_S = 60.0
_AWAY = frozenset({502, 503, 504})
_TOO_MANY = 429
_LOOK_AGAIN_S = 0.02
_FIRST_PAUSE_S, _MOST_PAUSE_S = 0.1, 2.0

NoteWait = Callable[[ClientError], None]


@dataclass(slots=True)
class Patience:
    """How long one conversation still bears a fabric that is away."""

    limit_s: float
    note: NoteWait
    since: float | None = None
    pause_s: float = _FIRST_PAUSE_S

    def bear(self, error: ClientError) -> Talk[None]:
        """Wait a while before the next try; raise the error when patience has run out."""
        now = time.monotonic()
        if self.since is None:
            self.since = now
            self.pause_s = _FIRST_PAUSE_S
        pause_s = error.retry_after_s or self.pause_s * random.uniform(0.8, 1.2)
        if now + pause_s > self.since + self.limit_s:
            raise error
        if now == self.since:
            self.note(error)
        self.pause_s = min(_MOST_PAUSE_S, self.pause_s * 2)
        yield Sleep(seconds=pause_s)

    def renew(self) -> None:
        """Note that the fabric is there."""
        self.since = None


class Session:
    """Turns calls into requests under one credential.

    Once the fabric has answered, repeatable calls wait up to `patience_s` for it to come back when it goes away, so that a
    restart of the control plane is survived; what it refuses as too much at a time is tried again too. Everything
    raises ClientError when the fabric refuses and Unreachable when it gives no answer.
    """

    def __init__(self, access: Access, *, patience_s: float, note_wait: NoteWait) -> None:
        self.url = access.url
        self._access = access
        self._patience_s, self._note_wait = patience_s, note_wait
        self._answered = False
        self._token, self._renew_at = access.access_token, 0.0
        self._refresh_token = access.refresh_token
        self._renewing = False
        self._taken_over = False  #: the token is one that another process got, some time ago

    def conduct(self, talk: Talk[T]) -> Talk[T]:
        """Carry a conversation on: its calls become requests, failures of the network errors of ours."""
        patience = Patience(self._patience_s, self._note_wait)
        answer: object = None
        error: Exception | None = None
        while True:
            try:
                step = talk.send(answer) if error is None else talk.throw(error)
            except StopIteration as end:
                value: T = end.value
                return value
            answer = error = None
            try:
                answer = yield from self._carry(step, patience)
            except Exception as caught:  # noqa: BLE001 (the conversation decides what it means)
                error = caught

    def _carry(self, step: Step, patience: Patience) -> Talk[Any]:
        if isinstance(step, Call):
            return (yield from self._call(step, patience))
        if isinstance(step, Bear):
            return (yield from self._bear(step.error, patience))
        answer = yield from self._reach(step)
        if isinstance(step, Send):
            self._answered |= answer.is_success
        # That a stream opens says little: its first block counts.
        if answer if isinstance(step, Read) else isinstance(step, Send) and not step.streams:
            patience.renew()
        return answer

    def _call(self, call: Call, patience: Patience) -> Talk[Json | httpx.Response]:
        while True:
            try:
                response = yield from self._once(call)
                answer = response if call.streams else read(response)
            except ClientError as error:
                may_repeat = call.repeatable or call.method == "GET" or error.status == _TOO_MANY
                if not may_repeat:
                    raise
                yield from self._bear(error, patience)
            else:
                self._answered = True
                patience.renew()
                return answer

    def _bear(self, error: ClientError, patience: Patience) -> Talk[None]:
        passes = isinstance(error, Unreachable) or error.status in _AWAY or error.status == _TOO_MANY
        if not passes or not (self._answered or error.status == _TOO_MANY):
            raise error
        yield from patience.bear(error)

    def _once(self, call: Call) -> Talk[httpx.Response]:
        fresh = not call.signed or not self._renewable or time.monotonic() >= self._renew_at
        response = yield from self._request(call)
        if response.status_code == httpx.codes.UNAUTHORIZED and (not fresh or self._taken_over):
            self._renew_at = 0.0
            response = yield from self._request(call)
        refuse(response)
        return response

    def _request(self, call: Call) -> Talk[httpx.Response]:
        headers = dict(call.headers)
        if call.signed:
            headers["Authorization"] = yield from self._access_token()
        request = Send(
            method=call.method,
            url=f"{self.url}{call.path}",
            headers=headers,
            query=call.query,
            json=call.body,
            form=call.form,
            streams=call.streams,
        )
        response: httpx.Response = yield from self._reach(request)
        return response

    @property
    def _renewable(self) -> bool:
        return bool(self._access.api_key or self._refresh_token)

    def _access_token(self) -> Talk[str]:
        while self._renewing:  # a refresh token is good once: two conversations must not both use it
            yield Sleep(seconds=_LOOK_AGAIN_S)
        now = time.monotonic()
        if self._renewable and now >= self._renew_at:
            self._renewing = True
            try:
                grant = yield from (self._exchange_key() if self._access.api_key else self._refresh())
            finally:
                self._renewing = False
            self._token = str(grant.get("token") or grant.get("access_token") or "")
            lifetime_s = float(grant.get("expiresIn") or grant.get("expires_in") or 0)
            self._renew_at = now + max(1.0, lifetime_s - _RENEW_EARLY_S)
        if not self._token:
            raise ClientError(f"this call needs an API key of {self.url}, or a sign-in")
        return self._token

    def _exchange_key(self) -> Talk[Json]:
        url = f"{self.url}/v1/auth/access_token"
        return read(
            (yield from self._reach(Send(method="POST", url=url, json={"apiKey": self._access.api_key})))
        )

    def _refresh(self) -> Talk[Json]:
        """Renew the token, or take over what another process renewed; only one of them may use a refresh token."""
        if not self._access.profile:
            return (yield from self._use_refresh_token())
        while (lock := try_lock()) is None:
            yield Sleep(seconds=_LOOK_AGAIN_S)
        with lock:
            kept = self._access.kept()
            if kept:
                self._refresh_token = kept.refresh_token or self._refresh_token
                left_s = kept.access_until - time.time()
                self._taken_over = left_s > _RENEW_EARLY_S and kept.access_token not in ("", self._token)
                if self._taken_over:
                    return {"access_token": kept.access_token, "expires_in": left_s}
            grant = yield from self._use_refresh_token()
            self._access.keep(
                refresh_token=self._refresh_token,
                access_token=str(grant.get("access_token") or ""),
                lifetime_s=float(grant.get("expires_in") or 0),
            )
            return grant

    def _use_refresh_token(self) -> Talk[Json]:
        form = {
            "grant_type": "refresh_token",
            "refresh_token": self._refresh_token,
            "client_id": self._access.client_id,
        }
        url = f"{self.url}/v1/auth/oauth2/token"
        grant = read((yield from self._reach(Send(method="POST", url=url, form=form))))
        # The fabric may hand out another refresh token each time, and then takes the old one no more.
        self._refresh_token = str(grant.get("refresh_token") or self._refresh_token)
        return grant

    def _reach(self, step: Step) -> Talk[Any]:
        try:
            return (yield step)
        except httpx.TransportError as error:
            reason = " ".join(str(error).split()) or type(error).__name__
            raise Unreachable(f"cannot reach {self.url}: {reason}") from error
