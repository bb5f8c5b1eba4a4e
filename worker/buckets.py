"""The users' buckets that this process reads from, kept open for the next chunk."""

from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock

from gridloom.buckets import BucketPlace
from gridloom.net_guard import PrivateHosts
from storage.buckets.bucket import Bucket

MOST_KEPT = 8


class _Kept:
    def __init__(self, bucket: Bucket) -> None:
        self.bucket = bucket
        self.users = 0


class Buckets:
    """Opens each place once, keys included, and closes those that were not used for the longest time.

    Safe for use by many threads.
    """

    def __init__(self, allow: PrivateHosts, *, transfers: int) -> None:
        self._allow, self._transfers = allow, transfers
        self._kept: OrderedDict[BucketPlace, _Kept] = OrderedDict()
        self._lock = Lock()

    @contextmanager
    def use(self, place: BucketPlace) -> Iterator[Bucket]:
        """Give the open bucket; it stays open at least as long as it is used."""
        with self._lock:
            kept = self._kept.get(place)
            if kept is None:
                bucket = Bucket(place, self._allow, transfers=self._transfers)
                kept = self._kept[place] = _Kept(bucket)
            self._kept.move_to_end(place)
            kept.users += 1
        try:
            yield kept.bucket
        finally:
            with self._lock:
                kept.users -= 1
                surplus = self._surplus(MOST_KEPT)
            for it in surplus:
                it.close()

    def close(self) -> None:
        """Close every bucket that nobody uses."""
        with self._lock:
            idle = self._surplus(0)
        for it in idle:
            it.close()

    def _surplus(self, room: int) -> list[Bucket]:
        """Forget the oldest idle places until no more than `room` are kept; return their buckets."""
        idle = [place for place, kept in self._kept.items() if not kept.users]
        return [self._kept.pop(place).bucket for place in idle[: max(0, len(self._kept) - room)]]
