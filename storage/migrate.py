"""Brings the database's tables to this version's shape; safe when several processes start at once."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, text

from storage.db import Database

_LOCK = 0x67726964  #: any number that all replicas share


def upgrade(database: Database) -> None:
    """Apply every revision that is missing, in one transaction.

    The transaction is also the lock: SQLite's is taken at its start, PostgreSQL's by an advisory lock inside it.
    """
    with database.write() as connection:
        take_setup_lock(connection)
        command.upgrade(config(connection), "head")


def take_setup_lock(connection: Connection) -> None:
    """Keep other processes from setting up the same database until this transaction ends."""
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})


def config(connection: Connection) -> Config:
    """Return Alembic's configuration, which works on this connection."""
    settings = Config()
    settings.set_main_option(
        "script_location", str(Path(__file__).with_name("migrations")).replace("%", "%%")
    )
    settings.attributes["connection"] = connection
    return settings
