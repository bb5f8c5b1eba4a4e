"""Applies revisions with Alembic; in a module of its own, since most starts need none and Alembic stays in memory."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection


def apply(connection: Connection) -> None:
    """Apply every revision that is missing, in the connection's transaction."""
    command.upgrade(config(connection), "head")


def config(connection: Connection) -> Config:
    """Return Alembic's configuration, which works on this connection."""
    settings = Config()
    settings.set_main_option(
        "script_location", str(Path(__file__).with_name("migrations")).replace("%", "%%")
    )
    settings.attributes["connection"] = connection
    return settings
