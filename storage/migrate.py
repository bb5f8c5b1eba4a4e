"""Brings the database's tables to this version's shape; safe when several processes start at once."""

from pathlib import Path

from sqlalchemy import Connection, inspect, text

from storage.db import Database

_LOCK = 0x67726964  #: any number that all replicas share


def upgrade(database: Database) -> None:
    """Apply every revision that is missing, in one transaction.

    The transaction is also the lock: SQLite's is taken at its start, PostgreSQL's by an advisory lock inside it.
    """
    with database.read() as connection:
        if _is_current(connection):
            return
    from storage.revisions import apply  # noqa: PLC0415 - Alembic is 11 MB for as long as the process lives

    with database.write() as connection:
        take_setup_lock(connection)
        apply(connection)


def take_setup_lock(connection: Connection) -> None:
    """Keep other processes from setting up the same database until this transaction ends."""
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})


def _is_current(connection: Connection) -> bool:
    if not inspect(connection).has_table("alembic_version"):
        return False
    # Revisions are files named after their numbers.
    files = Path(__file__).with_name("migrations").glob("versions/[0-9]*.py")
    latest = max(path.name.partition("_")[0] for path in files)
    applied = connection.execute(text("SELECT version_num FROM alembic_version")).scalars().all()
    return list(applied) == [latest]
