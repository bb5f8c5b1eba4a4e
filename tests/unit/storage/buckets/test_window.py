"""Bodies come in pieces that are worth a send each, and come again when they are sent again."""

import os

import pytest

from storage.buckets.window import Held, Window

DATA = os.urandom(700_000)


@pytest.fixture(params=["file", "memory"])
def body(request, tmp_path):
    if request.param == "memory":
        yield Held(DATA)
        return
    path = tmp_path / "file"
    path.write_bytes(b"before" + DATA + b"behind")
    fd = os.open(path, os.O_RDONLY)
    yield Window(fd, 6, len(DATA))
    os.close(fd)


def test_a_body_comes_in_pieces_and_from_anywhere_again(body):
    pieces = list(iter(lambda: body.read(16_384), b""))
    assert [len(it) for it in pieces] == [262_144, 262_144, 175_712]
    assert b"".join(pieces) == DATA
    assert (body.tell(), body.seek(0, os.SEEK_END)) == (len(DATA), len(DATA))
    body.seek(699_990)
    assert body.read() == DATA[-10:]
