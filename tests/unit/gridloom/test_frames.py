"""Frames carry a header and raw bytes; whatever else comes is refused."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gridloom import frames
from gridloom.errors import BadInput
from gridloom.states import Stage
from gridloom.wire import ClaimRequest

requests = st.builds(
    ClaimRequest,
    job_id=st.text(),
    stage=st.sampled_from(Stage),
    chunks=st.lists(st.integers(0, 2**40), max_size=64).map(tuple),
)


@given(requests, st.binary())
def test_what_is_packed_comes_out(header, tail):
    found, rest = frames.unpack(ClaimRequest, frames.pack(header, tail))
    assert found == header
    assert bytes(rest) == tail


@given(st.binary(max_size=200))
def test_any_bytes_are_refused_or_read(body):
    with suppress(BadInput):
        frames.unpack(ClaimRequest, body)


@given(requests, st.data())
def test_a_frame_that_ends_early_is_refused(header, data):
    body = frames.pack(header)
    with pytest.raises(BadInput, match="not a whole frame"):
        frames.unpack(ClaimRequest, body[: data.draw(st.integers(0, len(body) - 1))])


def test_a_wrong_header_is_named():
    with pytest.raises(BadInput, match="header is wrong") as caught:
        frames.unpack(ClaimRequest, b'\0\0\0\x1e{"job_id":"j","stage":"paint"}')
    assert caught.value.field == "stage"
