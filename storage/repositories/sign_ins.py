"""Clears away what sign-ins leave behind."""

from sqlalchemy import Connection

from storage.repositories import codes, credentials, oauth_codes, sessions


def sweep(connection: Connection) -> int:
    """Delete expired codes, sessions and marks of signed-out tokens; return how many rows."""
    return sum(it.sweep(connection) for it in (codes, oauth_codes, sessions, credentials))
