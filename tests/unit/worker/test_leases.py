import pytest

from gridloom.errors import LeaseLost
from gridloom.states import EndReason, Stage
from gridloom.wire import Claimed
from worker.leases import LeaseBook


class Clock:
    now = 100.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def book(clock):
    return LeaseBook(clock)


def take(book, *chunks, lease_s=60.0):
    claimed = [Claimed(chunk=chunk, attempt=7) for chunk in chunks]
    return book.take("job", Stage.APP, claimed, lease_s=lease_s, asked_at=100.0)


def test_what_is_taken_is_held_until_dropped(book):
    leases = take(book, 0, 1)
    assert [lease.hold().attempt for lease in book.all()] == [7, 7]
    assert book.concerns("job")
    assert book.concerns("")
    assert not book.concerns("other")
    book.drop(leases)
    assert list(book.all()) == []
    assert not book.concerns("")


def test_a_lost_lease_kills_its_run_and_lets_nothing_start(book):
    first, second = take(book, 0, 1)
    kills = []
    first.start(kills.append)
    ended = book.renewed([first, second], [first.hold(), second.hold()], lease_s=60, asked_at=100)
    assert kills == [EndReason.CANCELLED]
    assert ended == [first, second]
    with pytest.raises(LeaseLost):
        second.start(kills.append)


def test_losing_a_lease_whose_outcome_is_there_ends_no_work(book):
    (lease,) = take(book, 0)
    lease.finished = True
    assert book.renewed([lease], [lease.hold()], lease_s=60, asked_at=100) == []
    assert lease.lost


def test_without_a_renewal_the_worker_fences_itself_before_the_lease_ends(book, clock):
    (lease,) = take(book, 0)
    kills = []
    lease.start(kills.append)
    clock.now += 47.9
    assert book.fence() == []
    clock.now += 0.2
    assert book.fence() == [lease]
    assert kills == [EndReason.CANCELLED]


def test_a_renewal_counts_from_when_it_was_asked_for(book, clock):
    (lease,) = take(book, 0)
    book.renewed([lease], [], lease_s=10, asked_at=140)
    clock.now = 147.9
    assert book.fence() == []
    clock.now = 148.1
    assert book.fence() == [lease]


def test_an_outcome_that_waits_for_its_commit_is_not_fenced(book, clock):
    (lease,) = take(book, 0)
    lease.finished = True
    clock.now += 1000
    assert book.fence() == []
    assert not lease.lost


def test_a_kill_that_came_too_early_is_repeated(book):
    (lease,) = take(book, 0)
    heard = []
    lease.start(heard.append)
    lease.end(EndReason.WORKER_STOPPED)
    book.fence()
    assert heard == [EndReason.WORKER_STOPPED] * 2
    lease.stop()
    book.fence()
    assert len(heard) == 2


def test_the_first_reason_stays(book):
    (lease,) = take(book, 0)
    lease.end(EndReason.WORKER_STOPPED)
    lease.end(EndReason.CANCELLED)
    assert lease.ended_by is EndReason.WORKER_STOPPED
    assert not lease.lost


def test_stopping_spares_what_is_finished(book):
    first, second = take(book, 0, 1)
    first.finished = True
    book.end_all(EndReason.WORKER_STOPPED)
    assert first.ended_by is None
    assert second.ended_by is EndReason.WORKER_STOPPED


def test_a_run_is_to_be_announced_once_it_has_lasted(book):
    (lease,) = take(book, 0)
    lease.start(lambda reason: None)
    assert not book.unannounced()
    lease.running_since = lease.running_since.replace(year=2000)
    assert book.unannounced()
    lease.announced = True
    assert not book.unannounced()
