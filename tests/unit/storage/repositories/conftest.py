"""The fabric in miniature, on each kind of database."""

from tests.fixtures.fabric import database, fabric

__all__ = ["database", "fabric"]
