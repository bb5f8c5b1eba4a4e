"""How many calls an account may make, and how often an address may fail to sign in.

Counts are kept by each control plane for itself: a shared count would cost every call a round trip.
"""

import math
import time

from limits import RateLimitItem, parse
from limits.storage import MemoryStorage
from limits.strategies import FixedWindowRateLimiter

from gridloom.errors import SetupFailed, TooMany


class Limiter:
    """Counts by a rate such as `600/second` or `30/minute`; the empty rate allows everything."""

    def __init__(self, name: str, rate: str) -> None:
        """Read the rate.

        Raises:
            SetupFailed: when it is none; `name` is the variable's.
        """
        self._item: RateLimitItem | None = None
        self._counts = FixedWindowRateLimiter(MemoryStorage())
        if rate:
            try:
                self._item = parse(rate)
            except ValueError as error:
                raise SetupFailed(f"{name}: {rate!r} is not a rate like 600/second: {error}") from None

    def count(self, key: str) -> None:
        """Count one call of `key`.

        Raises:
            TooMany: when that is one too many.
        """
        if self._item is not None and not self._counts.hit(self._item, key):
            self._refuse(key)

    def check(self, key: str) -> None:
        """Refuse `key` when it has used up its calls, without counting one.

        Raises:
            TooMany: when it has.
        """
        if self._item is not None and not self._counts.test(self._item, key):
            self._refuse(key)

    def _refuse(self, key: str) -> None:
        assert self._item is not None
        reset_at = self._counts.get_window_stats(self._item, key).reset_time
        wait_s = max(1, math.ceil(reset_at - time.time()))
        raise TooMany(f"too many calls: at most {self._item}; try again in {wait_s} s", retry_after_s=wait_s)
