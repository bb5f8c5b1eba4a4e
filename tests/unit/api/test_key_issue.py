from datetime import UTC, datetime, timedelta

import pytest

from api.key_issue import LONGEST_LIFE, USUAL_LIFE, end_of, fingerprint
from api.tokens import hash_key
from gridloom.errors import BadInput

NOW = datetime.now(UTC)


def near(moment, wanted):
    return abs(moment - wanted) < timedelta(minutes=30)  # the module may wait for its turn after NOW


def test_a_key_ends_after_its_duration_else_at_its_time_else_after_180_days():
    assert near(end_of(3600, NOW + timedelta(days=9)), NOW + timedelta(hours=1))
    assert near(end_of(None, NOW + timedelta(days=9)), NOW + timedelta(days=9))
    assert near(end_of(None, (NOW + timedelta(days=9)).replace(tzinfo=None)), NOW + timedelta(days=9))
    assert near(end_of(None, None), NOW + USUAL_LIFE)


@pytest.mark.parametrize(
    ("duration_s", "expires_at", "field"),
    [
        (0, None, "duration"),
        (-1, None, "duration"),
        (2**62, None, "duration"),
        (None, NOW - timedelta(hours=1), "expiresAt"),
        (None, NOW + 2 * LONGEST_LIFE, "expiresAt"),
        (None, datetime.max, "expiresAt"),
    ],
)
def test_an_end_that_makes_no_sense_is_refused(duration_s, expires_at, field):
    with pytest.raises(BadInput) as caught:
        end_of(duration_s, expires_at)
    assert caught.value.field == field


def test_a_fingerprint_tells_neither_the_key_nor_what_it_is_found_by():
    assert fingerprint("glk_a") == fingerprint("glk_a") != fingerprint("glk_b")
    assert fingerprint("glk_a") not in hash_key("glk_a")
