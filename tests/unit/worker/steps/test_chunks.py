import hashlib
from pathlib import Path

import pytest

from gridloom.sources import SourceSpec
from gridloom.states import EndReason, Stage

SOURCE = SourceSpec(descriptor="url", params={"url": "http://x/"})


@pytest.fixture
def partition(rig):
    rig.control_plane.add(Stage.PARTITION, 0)

    def run(mock=None, **more):
        rig.set_work(Stage.PARTITION, mock, source=SOURCE, **more)
        rig.run(Stage.PARTITION, 0)
        return rig.result(Stage.PARTITION)

    return run


def test_every_chunk_is_registered_and_counted(rig, partition):
    result = partition({"chunks": 1200})
    assert (result.reason, result.total) == (None, 1200)
    chunks = rig.control_plane.chunks
    assert sorted(chunks) == list(range(1200))
    for index in (0, 7, 1199):
        chunk, data = chunks[index]
        assert data == str(index).encode()
        assert chunk.sha256 == hashlib.sha256(data).hexdigest()
    assert rig.control_plane.calls["chunks"] >= 3
    assert rig.nothing_is_left()


def test_the_partitioner_finds_its_source_and_the_job_moves_on_before_it_starts(rig, partition):
    seen = []

    def look(execution, slot):
        seen.append(Path(execution.env["SOURCE_DIR"], "input.txt").read_bytes())
        seen.append(len(rig.control_plane.phases))

    rig.runner.before = look
    partition()
    assert seen == [b"hello", 1]


def test_finished_chunks_are_registered_while_the_partitioner_runs(rig, partition):
    def write_and_wait(execution, slot):
        folder = Path(execution.env["CHUNKS_DIR"])
        for index in range(3):
            (folder / f"data_{index}.bin").write_text(f"chunk {index}")
        while len(rig.control_plane.chunks) < 2:
            slot._stop.wait(0.01)

    rig.runner.before = write_and_wait
    result = partition({"chunks": 0})
    assert result.total == 3
    assert [data for _, data in rig.control_plane.chunks.values()] == [b"chunk 0", b"chunk 1", b"chunk 2"]


def test_a_chunk_rewritten_after_it_was_sent_is_sent_again(rig, partition):
    def rewrite(execution, slot):
        folder = Path(execution.env["CHUNKS_DIR"])
        for index in range(2):
            (folder / f"data_{index}.bin").write_text("first")
        while not rig.control_plane.chunks:
            slot._stop.wait(0.01)
        (folder / "data_0.bin").write_text("second")

    rig.runner.before = rewrite
    partition({"chunks": 0})
    assert rig.control_plane.chunks[0][1] == b"second"
    assert rig.control_plane.chunks[1][1] == b"first"


def test_a_large_chunk_has_a_key_of_its_own(rig, partition):
    partition({"chunks": 1, "chunk_bytes": 100_000})
    chunk, data = rig.control_plane.chunks[0]
    assert data is None
    assert chunk.key.endswith("/chunks/1-0")
    stored = rig.store.get_bytes(chunk.key)
    assert hashlib.sha256(stored).hexdigest() == chunk.sha256


@pytest.mark.parametrize(
    ("files", "problem"),
    [
        ([], "wrote no chunk"),
        (["data_0.bin", "data_1.bin", "data_2.bin", "data_4.bin"], "no data_3.bin but data_4.bin"),
        (["data_0.bin", "readme.md"], "readme.md"),
    ],
)
def test_chunks_that_break_the_rules_fail_the_attempt_by_name(rig, partition, files, problem):
    def write(execution, slot):
        for name in files:
            Path(execution.env["CHUNKS_DIR"], name).write_text("x")

    rig.runner.before = write
    result = partition({"chunks": 0})
    assert result.reason is EndReason.BAD_OUTPUT
    assert problem in result.message
    assert rig.nothing_is_left()


def test_a_partitioner_that_writes_too_many_is_killed_while_it_runs(rig, partition):
    def flood(execution, slot):
        for index in range(20):
            Path(execution.env["CHUNKS_DIR"], f"data_{index}.bin").write_text("x")

    rig.runner.before = flood
    result = partition({"chunks": 0, "run_for_s": 5}, max_chunks=10)
    assert result.reason is EndReason.BAD_OUTPUT
    assert "more than 10 chunks" in result.message


def test_a_lease_lost_at_registration_ends_the_attempt(rig, partition):
    rig.runner.before = lambda execution, slot: rig.control_plane.lose(Stage.PARTITION, 0)
    assert partition({"chunks": 3}) is None
    assert rig.control_plane.chunks == {}
    assert rig.nothing_is_left()


def test_a_partitioner_that_fails_is_not_counted(rig, partition):
    result = partition({"chunks": 3, "exit_code": 1})
    assert (result.reason, result.total) == (EndReason.EXIT_NONZERO, None)
