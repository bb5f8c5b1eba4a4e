"""Forking so that the child can't come back and take itself for its parent."""

from __future__ import annotations

import os
from collections.abc import Callable

FAILED = 127


def fork(live: Callable[[], None]) -> int:
    """Return the number of a child that does `live` and then exits, whatever is raised there."""
    child = os.fork()
    if child:
        return child
    try:
        live()
    finally:
        os._exit(FAILED)
