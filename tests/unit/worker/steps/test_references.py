"""Objects of a source in a bucket as chunks: listed where they lie, and fetched there by whoever runs them."""

from pathlib import Path

import pytest

from gridloom.sources import SourceSpec
from gridloom.states import EndReason, Stage
from gridloom.wire import BlobSpan

BUILT_IN = {"name": "passthrough", "owner": ""}


@pytest.fixture
def source(bucket_place):
    return SourceSpec(
        descriptor="aws", params={"bucketName": bucket_place.bucket, "name": "in/"}, place=bucket_place
    )


@pytest.fixture
def put(bucket_server, bucket_place):
    return lambda key, data: bucket_server.put(bucket_place.bucket, key, data)


@pytest.fixture
def list_source(rig, source):
    def run(**more):
        rig.control_plane.add(Stage.PARTITION, 0)
        rig.set_work(Stage.PARTITION, source=source, **BUILT_IN, **more)
        rig.run(Stage.PARTITION, 0)
        return rig.result(Stage.PARTITION)

    return run


@pytest.fixture
def run_chunk(rig, source):
    def run(blob, **changes):
        rig.control_plane.add(Stage.APP, 0, blob=blob, size=blob.size)
        place = source.place.model_copy(update=changes)
        rig.set_work(Stage.APP, source=source.model_copy(update={"place": place}))
        rig.run(Stage.APP, 0)
        return rig.result()

    return run


def test_every_object_becomes_a_chunk_and_no_byte_moves(rig, put, list_source):
    etags = [put(f"in/{name}", data) for name, data in (("a", b"1"), ("b/c", b""), ("ü", b"x" * 100_000))]
    result = list_source()
    assert (result.reason, result.total) == (None, 3)
    chunks = [rig.control_plane.chunks[it] for it in range(3)]
    assert [(it.key, it.etag, it.size) for it, _ in chunks] == [
        ("in/a", etags[0], 1),
        ("in/b/c", etags[1], 0),
        ("in/ü", etags[2], 100_000),
    ]
    assert {data for _, data in chunks} == {None}
    assert len({it.sha256 for it, _ in chunks}) == 3
    assert rig.runner.opened == 0
    assert [it["m"] for it in rig.control_plane.lines] == ["listed 3 objects of the data source"]
    assert rig.nothing_is_left()


def test_the_same_objects_are_the_same_chunks_when_they_are_listed_again(rig, put, list_source):
    put("in/a", b"1")
    put("in/b", b"2")
    list_source()
    before = [chunk for chunk, _ in rig.control_plane.chunks.values()]
    put("in/b", b"3")
    list_source()
    after = [chunk for chunk, _ in rig.control_plane.chunks.values()]
    assert after[0] == before[0]
    assert after[1].sha256 != before[1].sha256


def test_more_objects_than_chunks_may_be_fail_the_attempt(put, list_source):
    for number in range(3):
        put(f"in/{number}", b"")
    result = list_source(max_chunks=2)
    assert result.reason is EndReason.DATA_SOURCE
    assert "more than 2 objects" in result.message


def test_a_source_without_objects_fails_the_attempt_by_name(list_source):
    result = list_source()
    assert result.reason is EndReason.DATA_SOURCE
    assert "holds no object in/" in result.message


@pytest.mark.parametrize("data", [b"", b"small", b"x" * 3_000_000])
def test_a_chunk_is_fetched_where_it_lies_and_the_script_sees_no_key(rig, put, source, run_chunk, data):
    seen = []

    def look(execution, slot):
        seen.append(Path(execution.env["TASK_DIR"], "data.bin").read_bytes())
        seen.append([it for it in execution.env.values() if source.place.secret_key in it])

    rig.runner.before = look
    result = run_chunk(BlobSpan(key="in/a", size=len(data), etag=put("in/a", data)))
    assert result.reason is None
    assert seen == [data, []]


@pytest.mark.parametrize("was", [b"", b"before"])
def test_a_chunk_that_changed_since_it_was_listed_fails_the_attempt(put, run_chunk, was):
    etag = put("in/a", was)
    put("in/a", b"behind")
    result = run_chunk(BlobSpan(key="in/a", size=len(was), etag=etag))
    assert result.reason is EndReason.DATA_SOURCE
    assert "in/a was changed after it was listed" in result.message


def test_a_chunk_in_a_bucket_that_may_not_be_read_fails_the_attempt(put, run_chunk):
    result = run_chunk(BlobSpan(key="in/a", size=1, etag=put("in/a", b"1")), secret_key="wrong")
    assert result.reason is EndReason.DATA_SOURCE
    assert "secret key" in result.message
