"""The fabric in miniature, on each kind of database."""

import pytest

from tests.fixtures.fabric import database, fabric

__all__ = ["connection", "database", "fabric"]


@pytest.fixture
def connection(database):
    """Yield a write transaction."""
    with database.write() as connection:
        yield connection
