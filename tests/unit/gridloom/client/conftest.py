"""Both clients in front of a fabric of a few scripted answers."""

import asyncio
import inspect
import json

import httpx
import pytest

from gridloom.client import Access, AsyncClient, Client

URL = "http://fabric.test"
GRANT = {"token": "first", "expiresIn": "3600"}


class Script:
    """Answers with what `answers` hold, in order: a document, (status, document or bytes), a response or an error."""

    def __init__(self):
        self.answers, self.seen = [], []

    def __call__(self, request):
        self.seen.append(request)
        answer = GRANT if request.url.path == "/v1/auth/access_token" else self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        if isinstance(answer, httpx.Response):
            return answer
        status, body = answer if isinstance(answer, tuple) else (200, answer)
        return httpx.Response(status, content=body if isinstance(body, bytes) else json.dumps(body).encode())

    @property
    def calls(self):
        """Method, path and JSON of every call but the exchange of the key."""
        return [
            (it.method, it.url.path, json.loads(it.content) if it.content.startswith(b"{") else None)
            for it in self.seen
            if it.url.path != "/v1/auth/access_token"
        ]


class Wires(httpx.MockTransport):
    """Takes request bodies of both kinds."""

    def handle_request(self, request):
        request.read()
        return self.handler(request)


class Blocking:
    """The blocking client."""

    def __init__(self, script, **options):
        self.client = Client(
            access=options.pop("access", Access(url=URL, api_key=" key\n")),
            transport=Wires(script),
            **options,
        )

    def do(self, method, *args, **kwargs):
        found = getattr(self.client, method)(*args, **kwargs)
        return list(found) if inspect.isgenerator(found) else found

    def take(self, method, count, *args, **kwargs):
        items = getattr(self.client, method)(*args, **kwargs)
        found = [next(items) for _ in range(count)]
        items.close()
        return found


class Asynchronous:
    """The asyncio client, one event loop a call."""

    def __init__(self, script, **options):
        self.script, self.options = script, {"access": Access(url=URL, api_key=" key\n")} | options
        self.loop = asyncio.new_event_loop()
        self.client = AsyncClient(transport=Wires(script), **self.options)

    def do(self, method, *args, **kwargs):
        async def done():
            found = getattr(self.client, method)(*args, **kwargs)
            return [it async for it in found] if inspect.isasyncgen(found) else await found

        return self.loop.run_until_complete(done())

    def take(self, method, count, *args, **kwargs):
        async def some():
            items = getattr(self.client, method)(*args, **kwargs)
            found = [await anext(items) for _ in range(count)]
            await items.aclose()
            return found

        return self.loop.run_until_complete(some())


@pytest.fixture
def script():
    return Script()


@pytest.fixture
def no_waiting(monkeypatch):
    """Note the pauses of both clients instead of making them."""
    pauses = []

    async def sleep(seconds):
        pauses.append(seconds)

    monkeypatch.setattr("gridloom.client.drivers.time.sleep", pauses.append)
    monkeypatch.setattr("asyncio.sleep", sleep)
    return pauses


@pytest.fixture(params=[Blocking, Asynchronous])
def connect(request, script):
    """Return what makes a client, of either kind, in front of the script."""
    made = []

    def connected(**options):
        made.append(request.param(script, **options))
        return made[-1]

    yield connected
    for it in made:
        if isinstance(it, Asynchronous):
            it.loop.run_until_complete(it.client.close())
            it.loop.close()
        else:
            it.client.close()
