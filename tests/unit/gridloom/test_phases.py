"""Sums of phases, and what is kept of a task's figures."""

import math

from hypothesis import given
from hypothesis import strategies as st

from gridloom.phases import PHASES, Sums, stored
from gridloom.warmth import Tier
from gridloom.wire import Spent

ANY_FLOAT = st.floats()


def test_sums_grow_by_each_task():
    spent = Spent(claimed_s=0.5, ran_s=2, tier=Tier.WARM)
    sums = Sums().plus([(1.0, spent), (3.0, Spent(claimed_s=1.5, tier=Tier.COLD))]).plus([(0.0, Spent())])
    assert sums.tasks == 3
    assert {name: sums.seconds[name] for name in ("queued", "claimed", "ran", "pulled")} == {
        "queued": 4.0,
        "claimed": 2.0,
        "ran": 2.0,
        "pulled": 0.0,
    }
    assert sums.claims == {"warm": 1, "cold": 1}
    assert list(sums.seconds.keys() ^ set(PHASES)) == []
    assert Sums.model_validate(sums.model_dump(mode="json")) == sums


def test_what_is_as_usual_is_not_kept():
    assert stored(Spent()) is None
    assert stored(Spent(ran_s=0.12345678, tier=Tier.GENERIC, image="sha256:1", received_bytes=0)) == {
        "ran_s": 0.123457,
        "tier": "generic",
        "image": "sha256:1",
        "received_bytes": 0,
    }


@given(ANY_FLOAT, ANY_FLOAT)
def test_a_broken_clock_spoils_nothing(queued_s, ran_s):
    spent = Spent(ran_s=ran_s)
    sums = Sums(tasks=1, seconds={"ran": 1.0}).plus([(queued_s, spent)])
    kept = (stored(spent) or {}).get("ran_s", 0.0)
    assert all(math.isfinite(it) and it >= 0 for it in (*sums.seconds.values(), kept))
