"""A control plane in this process, called over ASGI without sockets.

A test that asks for one runs twice: on SQLite and on PostgreSQL.
"""

import base64
import json
from collections.abc import Callable, Iterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest
from anyio.from_thread import BlockingPortal, start_blocking_portal
from fastapi import FastAPI
from sqlalchemy import select

from api.app import create_app
from api.tokens import hash_key
from gridloom.archives import pack_component
from gridloom.ids import new_token
from gridloom.settings import Settings
from storage.repositories import accounts, api_keys
from storage.tables import metadata
from tests.fixtures.first_starts import (
    postgres_start,
    settings_in,
    sqlite_start,
    started_postgresql,
    started_sqlite,
)
from tests.fixtures.mailbox import Mailbox

__all__ = ["postgres_start", "sqlite_start", "started_postgresql", "started_sqlite"]


class Client:
    """Calls an app as a user would; `headers` go with every call."""

    def __init__(self, portal: BlockingPortal, app: FastAPI, headers: dict[str, str] | None = None) -> None:
        self.portal, self.app, self.headers = portal, app, headers or {}

    def request(
        self, method: str, path: str, headers: dict[str, str] | None = None, **kwargs: Any
    ) -> httpx.Response:
        return self.portal.call(partial(self._request, method, path, self.headers | (headers or {}), kwargs))

    async def _request(
        self, method: str, path: str, headers: dict[str, str], kwargs: dict[str, Any]
    ) -> httpx.Response:
        transport = httpx.ASGITransport(app=self.app)
        async with httpx.AsyncClient(transport=transport, base_url="http://fabric.test") as http:
            return await http.request(method, path, headers=headers, **kwargs)

    def get(self, path: str, **kwargs: Any) -> httpx.Response:
        return self.request("GET", path, **kwargs)

    def post(self, path: str, **kwargs: Any) -> httpx.Response:
        return self.request("POST", path, **kwargs)

    @property
    def context(self) -> Any:
        return self.app.state.context

    def stored(self) -> str:
        """Return every row of the database as text."""
        with self.context.database.read() as connection:
            rows = [row for table in metadata.sorted_tables for row in connection.execute(select(table))]
        return "\n".join(map(repr, rows))

    def new_user(self, name: str) -> "Client":
        """Return a client that is signed in as a new user."""
        api_key = new_token("glk")

        def create(connection: Any) -> None:
            account_id = accounts.create_account(connection, name)
            api_keys.add(connection, account_id, name="test", key_hash=hash_key(api_key))

        self.context.writer.run(create)
        token = self.post("/v1/auth/access_token", json={"apiKey": api_key}).json()["token"]
        return Client(self.portal, self.app, {"Authorization": token})


@pytest.fixture(params=["sqlite", "postgresql"])
def started(request: pytest.FixtureRequest) -> str:
    """Return the URL of a database whose fabric was started once before; its other files lie in tmp_path."""
    url: str = request.getfixturevalue(f"started_{request.param}")
    return url


@pytest.fixture
def settings(started: str, tmp_path: Path, request: pytest.FixtureRequest) -> Settings:
    """Return settings below tmp_path; a test may change some by indirect parameters."""
    return settings_in(tmp_path, started, **getattr(request, "param", {}))


@pytest.fixture
def anonymous(settings: Settings) -> Iterator[Client]:
    """Yield a client without a token."""
    app = create_app(settings)
    with start_blocking_portal() as portal, portal.wrap_async_context_manager(_running(app)):
        yield Client(portal, app)


@asynccontextmanager
async def _running(app: FastAPI):
    async with app.router.lifespan_context(app):
        yield


@pytest.fixture
def ada(anonymous: Client) -> Client:
    """Return a client that is signed in as user `ada`."""
    return anonymous.new_user("ada")


@pytest.fixture
def bob(anonymous: Client) -> Client:
    """Return a client that is signed in as user `bob`."""
    return anonymous.new_user("bob")


@pytest.fixture
def admin(anonymous: Client, settings: Settings) -> Client:
    """Return a client that is signed in as the first account."""
    assert settings.bootstrap_file is not None
    api_key = json.loads(settings.bootstrap_file.read_text())["apiKey"]
    token = anonymous.post("/v1/auth/access_token", json={"apiKey": api_key}).json()["token"]
    return Client(anonymous.portal, anonymous.app, {"Authorization": token})


@pytest.fixture
def mailbox(anonymous: Client, settings: Settings) -> Iterator[Mailbox]:
    """Yield where the control plane's mails arrive."""
    codes = anonymous.context.codes
    sent, codes.mailer = codes.mailer, Mailbox(settings)
    yield codes.mailer
    codes.mailer = sent


@pytest.fixture
def pack() -> Callable[..., str]:
    """Return a function that packs a component and gives its base64; `files` and manifest members can be changed."""

    def packed(files: dict[str, Any] | None = None, **manifest: Any) -> str:
        content = {
            "manifest.json": {"name": "hello", "version": "0.1", "platform": "docker"} | manifest,
            "app/main.py": "print('hello')",
        } | (files or {})
        texts = {
            name: it if isinstance(it, str) else json.dumps(it)
            for name, it in content.items()
            if it is not None
        }
        return base64.b64encode(pack_component({name: it.encode() for name, it in texts.items()})).decode()

    return packed
