"""A chunk that is an object of the job's source is fetched there by whoever runs it."""

from pathlib import Path

import pytest

from gridloom.sources import SourceSpec
from gridloom.states import EndReason, Stage
from gridloom.wire import BlobSpan


@pytest.fixture
def source(bucket_place):
    return SourceSpec(
        descriptor="aws", params={"bucketName": bucket_place.bucket, "name": "in/"}, place=bucket_place
    )


@pytest.fixture
def put(bucket_server, bucket_place):
    return lambda key, data: bucket_server.put(bucket_place.bucket, key, data)


@pytest.fixture
def run_chunk(rig, source):
    def run(blob, **changes):
        rig.control_plane.add(Stage.APP, 0, blob=blob, size=blob.size)
        place = source.place.model_copy(update=changes)
        rig.set_work(Stage.APP, source=source.model_copy(update={"place": place}))
        rig.run(Stage.APP, 0)
        return rig.result()

    return run


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
