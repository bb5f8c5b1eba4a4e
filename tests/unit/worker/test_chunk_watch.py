import os
from pathlib import Path

import pytest

from gridloom.errors import AttemptFailed
from worker import chunk_watch
from worker.chunk_watch import ChunkWatch


@pytest.fixture(params=["told by the kernel", "polled"])
def watch(request, tmp_path, monkeypatch):
    if request.param == "polled":
        monkeypatch.setattr(chunk_watch, "_QUIET_S", 0.0)
        monkeypatch.setattr(chunk_watch, "Inotify", no_inotify)
    watch = ChunkWatch(tmp_path, 1000)
    yield watch
    watch.close()


def no_inotify(folder):
    raise OSError("no watch left")


def write(folder: Path, index: int, text: str = "x") -> None:
    (folder / f"data_{index}.bin").write_text(text)


def send(watch: ChunkWatch, *indexes: int) -> list[bytes]:
    contents = []
    for index in indexes:
        fd, facts = watch.open(index)
        contents.append(os.pread(fd, facts.st_size, 0))
        os.close(fd)
    return contents


def problem(watch: ChunkWatch) -> str:
    with pytest.raises(AttemptFailed) as raised:
        list(watch.remaining())
    return raised.value.message


def test_a_chunk_is_finished_when_it_is_closed_and_the_next_one_exists(watch, tmp_path):
    write(tmp_path, 0)
    assert watch.finished(0) == []
    with (tmp_path / "data_1.bin").open("w") as still_open:
        still_open.write("part")
        assert watch.finished(1) == [0]
        assert send(watch, 0) == [b"x"]
        assert watch.finished(0) == []
    assert list(watch.remaining()) == [1]


def test_chunks_of_any_order_are_found(watch, tmp_path):
    for index in (2, 0, 1, 3):
        write(tmp_path, index)
    found = sorted(watch.finished(1))
    assert found == [0, 1, 2]
    send(watch, *found)
    assert list(watch.remaining()) == [3]


def test_a_renamed_file_counts_as_closed(watch, tmp_path):
    for index in range(2):
        (tmp_path / "tmp").write_text("whole")
        (tmp_path / "tmp").rename(tmp_path / f"data_{index}.bin")
    assert watch.finished(1) == [0]


def test_a_chunk_that_changed_after_it_was_sent_is_sent_again(watch, tmp_path):
    for index in range(3):
        write(tmp_path, index)
    send(watch, *watch.finished(1))
    write(tmp_path, 0, "longer than before")
    assert list(watch.remaining()) == [0, 2]
    assert watch.count == 3


def test_what_is_unsent_comes_in_order_at_the_end(watch, tmp_path):
    for index in reversed(range(12)):
        write(tmp_path, index)
    assert list(watch.remaining()) == list(range(12))


def test_a_chunk_that_is_gone_at_the_end_does_not_count(watch, tmp_path):
    for index in range(4):
        write(tmp_path, index)
    send(watch, *watch.finished(1))
    (tmp_path / "data_3.bin").unlink()
    assert list(watch.remaining()) == []
    assert watch.count == 3


def test_no_chunk_is_a_failure(watch):
    assert problem(watch) == "the partitioner wrote no chunk"


def test_a_gap_is_named(watch, tmp_path):
    for index in (0, 1, 2, 4):
        write(tmp_path, index)
    assert problem(watch) == "the partitioner wrote no data_3.bin but data_4.bin"


@pytest.mark.parametrize("name", ["notes.txt", "data_01.bin", "data_x.bin", "Data_0.bin", "data_0.bin.tmp"])
def test_another_file_is_named(watch, tmp_path, name):
    write(tmp_path, 0)
    (tmp_path / name).write_text("")
    assert name in problem(watch)


def test_too_many_chunks_are_refused_as_soon_as_one_is_seen(tmp_path):
    watch = ChunkWatch(tmp_path, 3)
    for index in range(4):
        write(tmp_path, index)
    with pytest.raises(AttemptFailed, match="more than 3 chunks"):
        watch.finished(1)
    watch.close()


def test_a_far_away_index_takes_no_memory(watch, tmp_path):
    write(tmp_path, 999_999_999_999)
    assert "more than 1000 chunks" in problem(watch)
    assert watch.count == 0


@pytest.mark.parametrize("plant", ["link", "hard link", "folder", "fifo"])
def test_only_plain_files_are_opened(watch, tmp_path, plant):
    path, other = tmp_path / "data_0.bin", tmp_path / "data_1.bin"
    if plant == "link":
        path.symlink_to("/etc/passwd")
    elif plant == "folder":
        path.mkdir()
    elif plant == "fifo":
        os.mkfifo(path)
    else:
        other.write_text("x")
        path.hardlink_to(other)
    with pytest.raises(AttemptFailed, match=r"data_0\.bin"):
        watch.open(0)


def test_lost_news_is_made_up_for_by_looking(tmp_path, monkeypatch):
    monkeypatch.setattr(chunk_watch, "_QUIET_S", 0.0)
    watch = ChunkWatch(tmp_path, 1000)
    for index in range(5):
        write(tmp_path, index)
    monkeypatch.setattr(watch._news, "read", lambda: [(chunk_watch.OVERFLOW, "")])
    assert watch.finished(1) == [0, 1, 2, 3]
    watch.close()


def test_a_waiting_look_can_be_woken(watch):
    watch.wake()
    assert watch.finished(60) == []
