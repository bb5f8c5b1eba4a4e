"""Conflicts of transactions: of those that wait for each other, PostgreSQL ends one, whose work can be done again."""

import stamina
from sqlalchemy.exc import DBAPIError

_CONFLICTS = {"40P01", "40001"}  #: the SQLSTATEs of a deadlock and of a failed serialization


def is_conflict(error: Exception) -> bool:
    """Tell whether a transaction was ended for the sake of another, so that the same may succeed now."""
    return isinstance(error, DBAPIError) and getattr(error.orig, "sqlstate", None) in _CONFLICTS


#: Calls a function again, a few times, when its transaction was ended by a conflict.
again_after_conflict = stamina.RetryingCaller(
    attempts=5, timeout=None, wait_initial=0.02, wait_max=0.5, wait_jitter=0.1
).on(is_conflict)
