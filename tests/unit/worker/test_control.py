import pytest

from gridloom.devices import Capacity
from gridloom.errors import GridloomError, LeaseLost, Unauthorized, Unavailable
from gridloom.states import Stage
from gridloom.wire import ChunksRequest, ClaimRequest, HeartbeatRequest
from tests.fixtures.control_plane import JOB

BEAT = HeartbeatRequest(holds=(), free=Capacity(cores=1, memory_mib=1))
CLAIM = ClaimRequest(job_id=JOB, stage=Stage.APP, chunks=(0,))


def always():
    return True


def never():
    return False


@pytest.fixture
def control(control_plane):
    control = control_plane.client()
    yield control
    control.close()


def test_a_claim_brings_small_chunks_along(control, control_plane):
    control_plane.add(Stage.APP, 0, data=b"bytes")
    reply, tail = control.claim(CLAIM, never)
    (claimed,) = reply.claimed
    assert bytes(tail[claimed.offset : claimed.offset + claimed.size]) == b"bytes"


@pytest.mark.parametrize("status", [0, 429, 500, 502, 503, 504])
def test_a_call_is_repeated_while_it_is_wanted(control, control_plane, status):
    control_plane.answers["heartbeat"] = [status, status]
    assert control.heartbeat(BEAT, always).lease_s == 60
    assert control_plane.calls["heartbeat"] == 3


def test_a_call_that_nobody_wants_any_more_is_tried_once(control, control_plane):
    control_plane.answers["heartbeat"] = [503]
    with pytest.raises(Unavailable, match="503"):
        control.heartbeat(BEAT, never)
    assert control_plane.calls["heartbeat"] == 1


def test_a_call_that_breaks_the_server_again_and_again_is_given_up(control, control_plane):
    control_plane.answers["heartbeat"] = [500] * 99
    with pytest.raises(GridloomError, match="500") as raised:
        control.heartbeat(BEAT, always)
    assert not isinstance(raised.value, Unavailable)
    assert control_plane.calls["heartbeat"] == 5


def test_stopping_ends_the_waiting(control, control_plane):
    control.stopping.set()
    control_plane.answers["heartbeat"] = [503]
    with pytest.raises(Unavailable):
        control.heartbeat(BEAT, always)


def test_a_token_that_is_no_longer_known_is_renewed_once(control, control_plane):
    control_plane.token = "of another life"
    control.heartbeat(BEAT, never)
    control.heartbeat(BEAT, never)
    assert control_plane.calls["register"] == 2


def test_a_worker_that_may_not_join_is_told_so(control, control_plane):
    control_plane.answers["register"] = [401]
    with pytest.raises(Unauthorized):
        control.register(always)


def test_a_lost_lease_has_an_error_of_its_own(control, control_plane):
    control_plane.add(Stage.PARTITION, 0)
    with pytest.raises(LeaseLost):
        control.chunks(ChunksRequest(job_id=JOB, attempt=1, chunks=()), b"", always)


def test_any_other_refusal_is_final(control, control_plane):
    control_plane.answers["claim"] = [422]
    with pytest.raises(GridloomError, match="as told"):
        control.claim(CLAIM, always)
    assert control_plane.calls["claim"] == 1
