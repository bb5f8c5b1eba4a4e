"""What a first start puts in place: the built-in engines, and an account with its API key."""

import json
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import structlog
from sqlalchemy import Connection

from api.context import Context
from api.push import judged, kept, stored
from api.registration import add_account
from api.tokens import ADMIN, hash_key
from engines.catalog import builtin_packages
from gridloom.archives import pack_component, read_component
from gridloom.ids import new_token
from storage.migrate import take_setup_lock
from storage.repositories import accounts, api_keys

log = structlog.get_logger()

USER_NAME = "admin"


def first_account(context: Context) -> None:
    """Make the account `admin` with an API key, once, and write the key to `settings.bootstrap_file`.

    The file is written before the account exists, so a crash between the two is repaired by the next start.
    """
    path = context.settings.bootstrap_file
    if path is None:
        return
    with context.database.read() as connection:
        if accounts.any_account(connection):
            return
    api_key = new_token("glk")
    url = f"http://{context.settings.host}:{context.settings.port}"
    _write_private(path, json.dumps({"url": url, "apiKey": api_key, "userName": USER_NAME}) + "\n")

    def create(connection: Connection) -> None:
        take_setup_lock(connection)
        account_id = add_account(connection, context.settings, USER_NAME, {"role": ADMIN})
        api_keys.add(connection, account_id, name="first key", key_hash=hash_key(api_key))

    context.writer.run(create)
    log.info("account_created", user=USER_NAME, credentials=str(path))


def builtin_engines(context: Context) -> None:
    """Store the engines that come with this version, active and visible to everyone; unchanged ones are left alone."""
    for package in builtin_packages():
        data = pack_component(package.files)
        new = judged(read_component(data), data, None)
        old = stored(context, new)
        if old is not None and (old.digest, old.passthrough) == (new.digest, package.passthrough):
            continue
        write = kept(
            context, replace(new, active=True, is_public=True, passthrough=package.passthrough), data
        )

        def work(connection: Connection, write: Callable[[Connection], None] = write) -> None:
            take_setup_lock(connection)
            write(connection)

        context.writer.run(work)
        log.info("engine_stored", engine=package.name, version=package.version, kind=package.kind)


def _write_private(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    fd = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    with os.fdopen(fd, "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)
