"""The database: one engine, and the only ways to reach it: a read and a write transaction, and one short look."""

import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

from pydantic_core import from_json
from sqlalchemy import Connection, create_engine, event
from sqlalchemy.engine import make_url

from gridloom.changes import JobChange
from gridloom.errors import SetupFailed
from storage.changes import OPTION, Notes

Answer = TypeVar("Answer")

_PRAGMAS = (
    "journal_mode=WAL",
    "synchronous=FULL",  # NORMAL may lose the last commits when the power fails
    "busy_timeout=10000",
    "foreign_keys=ON",
    "journal_size_limit=67108864",
    "cache_size=-16384",
)


class Database:
    """Owns the engine; nobody else opens or commits a transaction."""

    def __init__(self, url: str, publish: Callable[[Sequence[JobChange]], object] | None = None) -> None:
        """Open `url` (SQLite or PostgreSQL, SQLAlchemy's form; `postgresql://` means psycopg).

        `publish` is told what each transaction did to jobs and tasks, after its commit; it must neither wait nor raise.

        Raises:
            SetupFailed: when the URL names another database.
        """
        parsed = make_url(url)
        backend = parsed.get_backend_name()
        if backend == "sqlite":
            self.engine = create_engine(
                parsed, connect_args={"timeout": 10}, hide_parameters=True, json_deserializer=from_json
            )
            event.listen(self.engine, "connect", _set_pragmas)
            event.listen(self.engine, "begin", _begin_sqlite)
        elif backend == "postgresql":
            self.engine = create_engine(
                parsed.set(drivername="postgresql+psycopg"),
                pool_pre_ping=True,
                pool_size=10,
                max_overflow=10,
                hide_parameters=True,
            )
        else:
            raise SetupFailed(f"GRIDLOOM_DATABASE_URL: {backend} is not supported, use sqlite or postgresql")
        self.is_sqlite = backend == "sqlite"
        self._publish = publish
        self._lookout: Connection | None = None
        self._one_looks = threading.Lock()

    def look(self, work: Callable[[Connection], Answer]) -> Answer:
        """Return the answer of `work`, which runs one short query and takes all its rows.

        On SQLite, where a reader waits for nobody, a connection is kept for it and no transaction is begun; this
        is half of what `read` costs.
        """
        if not self.is_sqlite:
            with self.read() as connection:
                return work(connection)
        with self._one_looks:
            if self._lookout is None:
                self._lookout = self.engine.connect().execution_options(gridloom_no_begin=True)
            return work(self._lookout)

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """Open a read transaction."""
        with self.engine.connect() as connection:
            yield connection

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """Open a write transaction; leaving the block commits, an exception rolls back.

        On SQLite it takes the write lock at once, so a compare-and-set never fails half way for want of it.
        """
        notes = Notes()
        options: dict[str, Any] = {"gridloom_write": True}
        if self._publish is not None:
            options[OPTION] = notes
        with self.engine.connect().execution_options(**options) as connection, connection.begin():
            yield connection
        if self._publish is not None and (changes := notes.changes(time.time())):
            self._publish(changes)

    def close(self) -> None:
        """Close every connection."""
        if self._lookout is not None:
            self._lookout.close()
            self._lookout = None
        self.engine.dispose()


def _set_pragmas(connection: Any, _record: Any) -> None:
    if not isinstance(connection, sqlite3.Connection):
        return
    connection.isolation_level = None  # we say BEGIN ourselves
    for pragma in _PRAGMAS:
        connection.execute(f"PRAGMA {pragma}")


def _begin_sqlite(connection: Connection) -> None:
    options = connection.get_execution_options()
    if options.get("gridloom_no_begin"):
        return
    wanted = "IMMEDIATE" if options.get("gridloom_write") else "DEFERRED"
    connection.exec_driver_sql(f"BEGIN {wanted}")
