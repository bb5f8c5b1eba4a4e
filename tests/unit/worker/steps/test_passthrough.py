from dataclasses import replace

import pytest

from gridloom.sources import SourceSpec
from gridloom.states import EndReason, Stage
from gridloom.wire import ResultFile
from storage.buckets.bucket import ObjectInfo
from storage.sources.objects import SourceObject
from worker.steps import passthrough

SOURCE = SourceSpec(descriptor="url", params={"url": "http://x/"})
BUILT_IN = {"name": "passthrough", "owner": ""}


def test_the_source_is_the_chunk_and_nothing_runs(rig):
    rig.control_plane.add(Stage.PARTITION, 0)
    rig.set_work(Stage.PARTITION, source=SOURCE, **BUILT_IN)
    rig.run(Stage.PARTITION, 0)
    assert rig.result(Stage.PARTITION).total == 1
    assert rig.control_plane.chunks[0][1] == b"hello"
    assert rig.runner.opened == 0


def test_several_files_become_chunks_by_name(rig):
    rig.sources.update({"a.txt": b"a", "z.txt": b"z" * 100_000})
    rig.control_plane.add(Stage.PARTITION, 0)
    rig.set_work(Stage.PARTITION, source=SOURCE, **BUILT_IN)
    rig.run(Stage.PARTITION, 0)
    assert [rig.control_plane.chunks[it][1] for it in range(3)] == [b"a", b"hello", None]


def test_a_users_own_component_of_that_name_does_run(rig):
    rig.control_plane.add(Stage.PARTITION, 0)
    rig.set_work(Stage.PARTITION, source=SOURCE, name="passthrough")
    rig.run(Stage.PARTITION, 0)
    assert len(rig.runner.executions) == 1


def test_results_become_outputs_where_they_lie(rig):
    rig.control_plane.add(Stage.ASSEMBLE, 0)
    for chunk in range(3):
        rig.control_plane.add_result(
            chunk,
            ResultFile(name="out.png", size=5, offset=chunk * 5, key="jobs/pack"),
            ResultFile(name="logs/run.txt", size=1, key=f"jobs/{chunk}"),
        )
    rig.set_work(Stage.ASSEMBLE, **BUILT_IN)
    rig.run(Stage.ASSEMBLE, 0)
    assert rig.result(Stage.ASSEMBLE).reason is None
    outputs = rig.control_plane.outputs
    assert list(outputs) == [
        "out.png",
        "logs/run.txt",
        "out_1.png",
        "logs/run_1.txt",
        "out_2.png",
        "logs/run_2.txt",
    ]
    assert (outputs["out_2.png"].key, outputs["out_2.png"].offset) == ("jobs/pack", 10)


def test_results_lie_in_a_folder_for_each_chunk_on_request(rig):
    rig.control_plane.add(Stage.ASSEMBLE, 0)
    for chunk in range(2):
        rig.control_plane.add_result(chunk, ResultFile(name="out.png", size=5, key="jobs/pack"))
    rig.set_work(Stage.ASSEMBLE, **BUILT_IN)
    work = rig.control_plane.work
    rig.control_plane.work = work.model_copy(update={"env": {"ASSEMBLER_PARAMS": '{"by_chunk": true}'}})
    rig.run(Stage.ASSEMBLE, 0)
    assert list(rig.control_plane.outputs) == ["0/out.png", "1/out.png"]


def test_a_name_that_leads_elsewhere_is_refused(rig):
    rig.control_plane.add(Stage.ASSEMBLE, 0)
    rig.control_plane.add_result(0, ResultFile(name="../x", size=0, key="jobs/0"))
    rig.set_work(Stage.ASSEMBLE, **BUILT_IN)
    rig.run(Stage.ASSEMBLE, 0)
    assert rig.result(Stage.ASSEMBLE).reason is EndReason.BAD_OUTPUT


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


def test_many_objects_are_registered_while_they_are_listed(rig, list_source, monkeypatch):
    ahead = []

    def listing(_bucket, _names, **_more):
        for number in range(5_000):
            ahead.append(number - len(rig.control_plane.chunks))
            yield SourceObject(info=ObjectInfo(key=f"in/{number}", size=1, etag="e"), path=str(number))

    monkeypatch.setattr(passthrough, "find_objects", listing)
    assert list_source(max_chunks=5_000).total == 5_000
    assert len(rig.control_plane.chunks) == 5_000
    assert max(ahead) < 500
    assert rig.control_plane.calls["chunks"] < 50


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"size": 21 << 30}, "a chunk may have 20480 MiB"),
        ({"key": "in/" + "k" * 1022}, "more than 1024 characters"),
        ({"key": "in/\0"}, "holds a zero"),
        ({"etag": ""}, "has no ETag"),
    ],
)
def test_what_can_not_be_a_chunk_is_named(list_source, monkeypatch, changes, problem):
    info = replace(ObjectInfo(key="in/a", size=1, etag="e"), **changes)
    found = [SourceObject(info=info, path="a")]
    monkeypatch.setattr(passthrough, "find_objects", lambda *_args, **_more: iter(found))
    result = list_source()
    assert result.reason is EndReason.DATA_SOURCE
    assert problem in result.message
