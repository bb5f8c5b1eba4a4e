"""Small pieces travel together and come back whole."""

from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.packs import inline_chunks, put_logs, put_pack
from gridloom.wire import INLINE_CHUNK_BYTES, BlobSpan
from storage.folder import FolderStore
from tests.fixtures.log_lines import SEGMENT


@pytest.fixture
def store(tmp_path):
    return FolderStore(tmp_path / "objects")


class Counting:
    """A store in memory that counts its reads."""

    def __init__(self, objects):
        self.objects, self.reads = objects, 0

    def get_bytes(self, key, offset=0, length=None):
        self.reads += 1
        return self.objects[key][offset:][:length]


def row(chunk, key, offset, size, etag=None):
    return SimpleNamespace(
        chunk=chunk, attempt=1, chunk_key=key, chunk_offset=offset, chunk_size=size, chunk_etag=etag
    )


def test_neighbours_of_one_object_are_read_at_once():
    store = Counting({"a": b"0123456789", "b": b"xyz"})
    rows = [row(0, "a", 4, 3), row(1, "b", 1, 2), row(2, "a", 0, 4), row(3, "a", 8, 1), row(4, "a", 2, 0)]
    claimed, tail = inline_chunks(store, rows)
    assert [tail[it.offset : it.offset + it.size] for it in claimed] == [b"456", b"yz", b"0123", b"8", b""]
    assert [it.chunk for it in claimed] == [0, 1, 2, 3, 4]
    assert store.reads <= 4


def test_large_chunks_stay_where_they_are_and_a_task_without_bytes_has_none():
    large = INLINE_CHUNK_BYTES + 1
    claimed, tail = inline_chunks(Counting({}), [row(0, "a", 7, large), row(1, None, 0, 0)])
    assert (claimed[0].blob.key, claimed[0].blob.offset, claimed[0].blob.size) == ("a", 7, large)
    assert (claimed[0].offset, claimed[1].offset, claimed[1].blob, claimed[1].size) == (None, 0, None, 0)
    assert tail == b""


def test_an_object_of_the_source_is_left_to_whoever_runs_its_task_however_small():
    [claimed], tail = inline_chunks(None, [row(0, "photos/a.jpg", 0, 3, etag="abc")])
    assert claimed.blob == BlobSpan(key="photos/a.jpg", size=3, etag="abc")
    assert (claimed.size, claimed.offset, tail) == (3, None, b"")


@given(st.lists(st.binary(max_size=20), max_size=20), st.randoms())
def test_chunks_of_one_pack_come_back_in_any_order(contents, random):
    rows, at = [], 0
    for chunk, content in enumerate(contents):
        rows.append(row(chunk, "pack", at, len(content)))
        at += len(content)
    random.shuffle(rows)
    store = Counting({"pack": b"".join(contents)})
    claimed, tail = inline_chunks(store, rows)
    assert {it.chunk: tail[it.offset : it.offset + it.size] for it in claimed} == dict(enumerate(contents))
    assert store.reads <= 1


def test_a_tail_becomes_one_object_of_its_job(store):
    key = put_pack(store, "job", "results", memoryview(b"bytes"))
    assert key.startswith("jobs/job/results/")
    assert store.get_bytes(key) == b"bytes"
    assert put_pack(store, "job", "results", memoryview(b"")) != key


def test_log_segments_lie_apart_from_what_expires_under_keys_of_their_own(store):
    other = {"id": "1" * 36, "first_chunk": 2, "last_chunk": 2, "size": 2}
    segments = [
        SEGMENT.model_copy(update={"last_chunk": 1, "lines": 2, "offset": 3}),
        SEGMENT.model_copy(update=other),
    ]
    rows = put_logs(store, "job", segments, memoryview(b"abcde"))
    assert [(it["first_chunk"], it["last_chunk"], it["lines"]) for it in rows] == [(0, 1, 2), (2, 2, 1)]
    kept = [store.get_bytes(it["key"], it["offset"], it["size"] + it["texts_size"]) for it in rows]
    assert kept == [b"de", b"abc"]
    assert [it["key"] for it in rows] == [f"logs/job/{digit * 36}" for digit in "01"]
    assert put_logs(store, "job", segments, memoryview(b"abcde")) == rows
    assert put_logs(store, "job", [], memoryview(b"")) == []


def test_a_chunk_without_a_key_is_the_dummy_file():
    claimed, tail = inline_chunks(None, [row(0, None, 0, 1)])
    assert tail == b"\n"
    assert (claimed[0].offset, claimed[0].size) == (0, 1)
