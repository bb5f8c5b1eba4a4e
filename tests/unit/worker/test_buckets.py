"""Buckets kept open between chunks."""

from contextlib import ExitStack

import pytest

from gridloom.buckets import BucketPlace
from gridloom.net_guard import PrivateHosts
from worker import buckets as module
from worker.buckets import MOST_KEPT, Buckets


class Bucket:
    """Notes that it was closed."""

    opened: list["Bucket"]

    def __init__(self, place, allow, *, transfers):
        self.place, self.is_open = place, True
        self.opened.append(self)

    def close(self):
        assert self.is_open
        self.is_open = False


@pytest.fixture
def opened(monkeypatch):
    Bucket.opened = []
    monkeypatch.setattr(module, "Bucket", Bucket)
    return Bucket.opened


@pytest.fixture
def buckets(opened):
    return Buckets(PrivateHosts(), transfers=4)


def place(number, **changes):
    return BucketPlace(kind="aws", bucket=f"b{number}", **changes)


def test_a_place_is_opened_once_and_its_keys_are_part_of_it(buckets, opened):
    with buckets.use(place(0)) as first, buckets.use(place(0)) as again:
        assert again is first
    with buckets.use(place(0, access_key="other")) as other:
        assert other is not first
    assert len(opened) == 2


def test_the_one_unused_for_longest_is_closed_and_none_that_is_in_use(buckets, opened):
    with buckets.use(place(0)):
        for number in range(1, MOST_KEPT + 1):
            with buckets.use(place(number)):
                pass
        assert [it.place.bucket for it in opened if not it.is_open] == ["b1"]
    with ExitStack() as held:
        for number in range(20, 20 + 2 * MOST_KEPT):
            held.enter_context(buckets.use(place(number)))
    assert sum(it.is_open for it in opened) == MOST_KEPT
    buckets.close()
    assert not any(it.is_open for it in opened)
