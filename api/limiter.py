"""How many calls an account may make, and how often an address may fail to sign in.

Counts are kept by each control plane for itself: a shared count would cost every call a round trip.
"""

import math
import time
from collections import Counter
from ipaddress import IPv6Address, ip_address

from limits import RateLimitItem, parse

from gridloom.errors import SetupFailed, TooMany

_IPV6_SITE_BITS = 64  #: an IPv6 host has as many addresses as it likes below these


class Limiter:
    """Counts by a rate such as `600/second` or `30/minute`; the empty rate allows everything.

    Time is cut into windows that are the same for all keys, so that the counts of a window that ended go all at once.
    """

    def __init__(self, name: str, rate: str) -> None:
        """Read the rate.

        Raises:
            SetupFailed: when it is none; `name` is the variable's.
        """
        self._rate: RateLimitItem | None = None
        self._window_s, self._ends_at, self._counts = 1, 0.0, Counter[str]()
        if rate:
            try:
                self._rate = parse(rate)
            except ValueError as error:
                raise SetupFailed(f"{name}: {rate!r} is not a rate like 600/second: {error}") from None
            self._window_s = self._rate.get_expiry()

    def count(self, key: str) -> None:
        """Count one call of `key`.

        Raises:
            TooMany: when that is one too many.
        """
        self.check(key)
        if self._rate is not None:
            self._counts[key] += 1

    def check(self, key: str) -> None:
        """Refuse `key` when it has used up its calls, without counting one.

        Raises:
            TooMany: when it has.
        """
        if self._rate is None:
            return
        now = time.monotonic()
        if now >= self._ends_at:
            self._ends_at, self._counts = now + self._window_s, Counter()
        if self._counts[key] >= self._rate.amount:
            wait_s = max(1, math.ceil(self._ends_at - now))
            raise TooMany(
                f"too many calls: at most {self._rate}; try again in {wait_s} s", retry_after_s=wait_s
            )


def party_of(address: str) -> str:
    """Return what stands for everyone who may call from this address: of IPv6 the first half."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return address
    if not isinstance(parsed, IPv6Address):
        return address
    if parsed.ipv4_mapped is not None:
        return str(parsed.ipv4_mapped)
    return str(IPv6Address(int(parsed) >> _IPV6_SITE_BITS << _IPV6_SITE_BITS))
