"""Unit tests of the runner that simulates."""

import json
import threading
import time

import pytest

from gridloom.errors import AttemptFailed, RunnerFailed
from gridloom.states import EndReason
from tests.fixtures.slots import Heard
from worker.runners.mock import MEMORY_MIB, MockRunner
from worker.runners.protocol import Execution, Grounds, Limits, SlotKey


@pytest.fixture
def play(tmp_path):
    slots = tmp_path / "slots"
    slots.mkdir()
    grounds = Grounds(slots=slots, components=tmp_path, shared_cache=tmp_path, user_caches=tmp_path)
    slot = MockRunner(grounds).open_slot(SlotKey(owner="o"))

    def run(name="APP_PARAMS", folder="TASK_RESULTS_DIR", *, timeout_s=None, **members):
        env = {
            name: json.dumps({"mock": members} if members else {}),
            folder: str(tmp_path),
            "CHUNK_NUMBER": "7",
        }
        heard = Heard()
        script = tmp_path / "main.py"
        limits = Limits(timeout_s=timeout_s)
        execution = Execution(
            label="x", component=tmp_path, script=script, env=env, folders=(), limits=limits
        )
        ended = slot.run(execution, heard)
        return ended, heard

    run.slot = slot
    return run


def test_an_app_writes_its_chunks_number_by_default(play, tmp_path):
    ended, _ = play()
    assert ended.succeeded
    assert (tmp_path / "result.txt").read_text() == "7"


def test_results_output_and_exit_code_are_as_told(play, tmp_path):
    ended, heard = play(result={"sub/a.txt": "A", "b.txt": "B"}, stdout="out\n", stderr="err\n")
    assert ended.succeeded
    assert (tmp_path / "sub/a.txt").read_text() == "A"
    assert (heard.stdout, heard.stderr) == (b"out\n", b"err\n")
    assert play(exit_code=3)[0].message == "exit code 3"
    ended, _ = play(end_reason="out_of_memory")
    assert (ended.reason, ended.exit_code) == (EndReason.OUT_OF_MEMORY, None)


def test_a_partitioner_writes_chunks(play, tmp_path):
    play("PARTITIONER_PARAMS", "CHUNKS_DIR", chunks=12)
    assert sorted(it.read_text() for it in tmp_path.glob("data_*.bin")) == sorted(str(n) for n in range(12))
    play("PARTITIONER_PARAMS", "CHUNKS_DIR", chunks=1, chunk_bytes=5)
    assert (tmp_path / "data_0.bin").read_bytes() == b"xxxxx"


def test_a_timeout_and_a_kill_end_a_long_run(play):
    ended, _ = play(run_for_s=60, timeout_s=0.01)
    assert ended.reason is EndReason.TIMEOUT

    def kill() -> None:
        while not play.slot._running:
            time.sleep(0.001)
        play.slot.kill(EndReason.CANCELLED)

    thread = threading.Thread(target=kill)
    thread.start()
    ended, _ = play(run_for_s=60)
    thread.join()
    assert ended.reason is EndReason.CANCELLED


def test_a_member_that_it_does_not_know_is_named(play):
    with pytest.raises(AttemptFailed, match="run_four_s"):
        play(run_four_s=1)


def test_a_closed_slot_plays_no_more(play):
    assert play.slot.folder.is_dir()
    play.slot.close()
    play.slot.close()
    assert play.slot.memory_mib() == 0
    assert not play.slot.folder.exists()
    with pytest.raises(RunnerFailed):
        play()
    with pytest.raises(RunnerFailed):
        play.slot.preload(["json"])


def test_what_was_imported_ahead_is_not_reported_again(play):
    ended, _ = play(modules=["json", "csv"])
    assert ended.modules == ("json", "csv")
    assert play.slot.preload(["json"]).imported == ("json",)
    assert play.slot.memory_mib() > MEMORY_MIB
    ended, _ = play(modules=["json", "csv"], signal=11, end_reason="exit_nonzero")
    assert (ended.modules, ended.signal) == (("csv",), 11)
