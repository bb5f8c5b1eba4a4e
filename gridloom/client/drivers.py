"""The two drivers: they send requests, wait and hand out items, one blocking and one with asyncio; nothing more."""

import time
from collections.abc import AsyncGenerator, AsyncIterator, Generator, Iterator
from ipaddress import ip_address
from types import TracebackType
from typing import Any, Generic, Self
from urllib.parse import urlsplit

from gridloom.client.session import Session
from gridloom.client.steps import Item, Read, Send, Sleep, Step, T, Talk
from gridloom.client.web import httpx
from gridloom.tls import trusted

_TIMEOUT = httpx.Timeout(60, connect=5)


class Turns(Generic[T]):
    """A conversation that a driver carries on turn by turn; `value` is its outcome once there is no next step."""

    value: T

    def __init__(self, talk: Talk[T]) -> None:
        self._talk = talk
        self.answer: Any = None
        self.error: Exception | None = None

    def next(self) -> Step | None:
        """Hand the last answer or error over and return the next step, None at the end."""
        answer, error = self.answer, self.error
        self.answer = self.error = None
        try:
            return self._talk.send(answer) if error is None else self._talk.throw(error)
        except StopIteration as end:
            self.value = end.value
            return None


class Driver:
    """Carries conversations out, blocking; not for several threads at once."""

    def __init__(self, session: Session, transport: httpx.BaseTransport | None = None) -> None:
        self._session, self._transport = session, transport
        self._lines: dict[tuple[bool, bool], httpx.Client] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        for line in self._lines.values():
            line.close()

    def run(self, talk: Talk[T]) -> T:
        """Carry a conversation out and return its outcome."""
        turns = Turns(self._session.conduct(talk))
        for _ in self._items(turns):
            pass
        return turns.value

    def items(self, talk: Talk[None]) -> Generator[Any, None, None]:
        """Carry a conversation out as far as its items are wanted."""
        return self._items(Turns(self._session.conduct(talk)))

    def _items(self, turns: Turns[Any]) -> Generator[Any, None, None]:
        response = httpx.Response(200)  # none yet
        blocks: Iterator[bytes] = iter(())
        try:
            while step := turns.next():
                try:
                    match step:
                        case Item():
                            yield step.value
                        case Sleep():
                            time.sleep(step.seconds)
                        case Read():
                            turns.answer = next(blocks, b"")
                        case Send():
                            response.close()
                            turns.answer = response = self._send(step)
                            blocks = response.iter_bytes()
                except Exception as error:  # noqa: BLE001 (the conversation decides what it means)
                    turns.error = error
        finally:
            response.close()

    def _send(self, step: Send) -> httpx.Response:
        key = line_of(step.url)
        if key not in self._lines:
            self._lines[key] = httpx.Client(**options_of(key), transport=self._transport)
        line = self._lines[key]
        content = step.content() if step.content else None
        response = line.send(line.build_request(**request_of(step), content=content), stream=True)
        if not (step.streams and response.is_success):
            response.read()
        return response


class AsyncDriver:
    """Carries conversations out with asyncio; several may go on at once."""

    def __init__(self, session: Session, transport: httpx.AsyncBaseTransport | None = None) -> None:
        self._session, self._transport = session, transport
        self._lines: dict[tuple[bool, bool], httpx.AsyncClient] = {}

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the connections."""
        for line in self._lines.values():
            await line.aclose()

    async def run(self, talk: Talk[T]) -> T:
        """Carry a conversation out and return its outcome."""
        turns = Turns(self._session.conduct(talk))
        async for _ in self._items(turns):
            pass
        return turns.value

    def items(self, talk: Talk[None]) -> AsyncGenerator[Any, None]:
        """Carry a conversation out as far as its items are wanted."""
        return self._items(Turns(self._session.conduct(talk)))

    async def _items(self, turns: Turns[Any]) -> AsyncGenerator[Any, None]:
        response = httpx.Response(200, content=_blocks(()))  # none yet
        blocks: AsyncIterator[bytes] = _blocks(())
        try:
            while step := turns.next():
                try:
                    match step:
                        case Item():
                            yield step.value
                        case Sleep():
                            import asyncio  # noqa: PLC0415 (who awaits has loaded it; others need not pay)

                            await asyncio.sleep(step.seconds)
                        case Read():
                            turns.answer = await anext(blocks, b"")
                        case Send():
                            await response.aclose()
                            turns.answer = response = await self._send(step)
                            blocks = response.aiter_bytes()
                except Exception as error:  # noqa: BLE001 (the conversation decides what it means)
                    turns.error = error
        finally:
            await response.aclose()

    async def _send(self, step: Send) -> httpx.Response:
        key = line_of(step.url)
        if key not in self._lines:
            self._lines[key] = httpx.AsyncClient(**options_of(key), transport=self._transport)
        line = self._lines[key]
        content = _blocks(step.content()) if step.content else None
        response = await line.send(line.build_request(**request_of(step), content=content), stream=True)
        if not (step.streams and response.is_success):
            await response.aread()
        return response


def line_of(url: str) -> tuple[bool, bool]:
    """Return whether a URL is secure, and whether it leads to this machine."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    try:
        here = ip_address(host).is_loopback
    except ValueError:
        here = host == "localhost"
    return parts.scheme == "https", here


def options_of(line: tuple[bool, bool]) -> dict[str, Any]:
    """Return how to open a line: loading the certificates takes longer than a call, and a plain URL needs none."""
    secure, here = line
    return {"timeout": _TIMEOUT, "verify": trusted() if secure else False, "trust_env": not here}


def request_of(step: Send) -> dict[str, Any]:
    """Return a request's parts under the names that httpx has for them; the content is left out."""
    return {
        "method": step.method,
        "url": step.url,
        "headers": {"Accept-Encoding": "identity"} | dict(step.headers),
        "params": step.query,
        "json": step.json,
        "data": step.form,
    }


async def _blocks(blocks: Iterator[bytes] | tuple[()]) -> AsyncIterator[bytes]:
    for block in blocks:
        yield block
