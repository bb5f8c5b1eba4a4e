"""Bundles stay small enough to lose and shrink towards a job's end."""

from hypothesis import given
from hypothesis import strategies as st

from gridloom.wire import BUNDLE_MAX
from scheduler.bundles import BUNDLE_S, LEAST_S, WINDOW, Pace, bundle_size, room, split

paces = st.builds(
    Pace,
    completed=st.integers(0, 10**6),
    busy_s=st.floats(0, 1e7),
    remaining=st.integers(1, 10**6),
)
slots = st.integers(0, 512)


def pace(mean_s, remaining):
    return Pace(completed=10, busy_s=10 * mean_s, remaining=remaining)


@given(paces, slots)
def test_a_bundle_has_one_to_64_chunks_and_no_more_than_half_a_second_of_work(pace, slots):
    size = bundle_size(pace, slots)
    assert 1 <= size <= BUNDLE_MAX
    assert size == 1 or size * pace.mean_s <= BUNDLE_S * 1.001


@given(paces, st.integers(1, 512))
def test_a_bundle_is_no_more_than_its_share_of_what_remains_if_that_is_worth_a_trip(pace, slots):
    size = bundle_size(pace, slots)
    assert size == 1 or size <= pace.remaining / (2 * slots) + 1 or size * pace.mean_s <= LEAST_S * 1.001


@given(st.integers(1, 64), st.integers(1, 5_000))
def test_bundles_shrink_to_single_chunks_at_the_tail(slots, remaining):
    sizes = []
    while remaining:
        sizes.append(min(bundle_size(pace(0.03, remaining), slots), remaining))
        remaining -= sizes[-1]
    assert sizes == sorted(sizes, reverse=True)
    assert sizes[-1] == 1


def test_a_chunk_travels_alone_while_the_pace_is_unknown_or_slow():
    assert bundle_size(Pace(completed=0, busy_s=0, remaining=1_000_000), 4) == 1
    assert bundle_size(pace(2.0, 1_000_000), 4) == 1
    assert bundle_size(pace(0.1, 1_000_000), 4) == 5
    assert bundle_size(pace(0.0, 1_000_000), 4) == BUNDLE_MAX


def test_tiny_tasks_stay_together_to_the_end():
    assert bundle_size(pace(0.01, 3), 4) == 5
    assert bundle_size(pace(0.0001, 3), 4) == BUNDLE_MAX


@given(st.integers(0, 10_000), slots)
def test_the_window_is_three_hints_a_slot(waiting, slots):
    assert 0 <= room(waiting, slots) <= WINDOW * max(slots, 1)
    assert room(waiting, slots) + waiting >= WINDOW * max(slots, 1)


@given(st.lists(st.booleans()), st.integers(1, 64))
def test_every_chunk_is_in_one_bundle_and_the_suspect_ones_alone(suspects, size):
    chunks = [(chunk, int(suspect)) for chunk, suspect in enumerate(suspects)]
    bundles = split(chunks, size)
    assert sorted(chunk for bundle in bundles for chunk in bundle) == list(range(len(chunks)))
    assert all(0 < len(bundle) <= size for bundle in bundles)
    assert all(len(bundle) == 1 for bundle in bundles for chunk in bundle if suspects[chunk])
