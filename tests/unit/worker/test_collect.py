"""Unit tests of reading and removing hostile folders."""

import os
import socket
from pathlib import Path

import pytest

from gridloom.errors import AttemptFailed
from gridloom.states import EndReason
from tests.fixtures.slots import open_fds
from worker.collect import CollectLimits, collect, remove_tree


def collected(folder: Path, **limits: int) -> dict[str, bytes]:
    found = {}
    for file in collect(folder, CollectLimits(**limits)):
        with file.open() as reader:
            found[str(file.path)] = reader.read()
        assert file.size == len(found[str(file.path)])
    return found


def deep_folder(top: Path, depth: int) -> None:
    top.mkdir()
    current = os.open(top, os.O_RDONLY)
    for _ in range(depth):
        os.mkdir("d" * 200, dir_fd=current)
        below = os.open("d" * 200, os.O_RDONLY, dir_fd=current)
        os.close(current)
        current = below
    os.close(os.open("file", os.O_CREAT | os.O_WRONLY, dir_fd=current))
    os.close(current)


def test_plain_files_come_by_name_with_their_relative_path(tmp_path):
    (tmp_path / "sub" / "empty").mkdir(parents=True)
    (tmp_path / "sub" / "b.txt").write_bytes(b"b")
    (tmp_path / "z ä.txt").write_bytes(b"")
    assert list(collected(tmp_path).items()) == [("sub/b.txt", b"b"), ("z ä.txt", b"")]


@pytest.mark.parametrize("swapped", ["attempt", "attempt/results"])
@pytest.mark.parametrize("kind", ["link", "file", "nothing"])
def test_a_folder_that_is_swapped_for_something_else_leads_nowhere(tmp_path, swapped, kind):
    for name in ("attempt", "other"):
        (tmp_path / name / "results").mkdir(parents=True)
        (tmp_path / name / "results" / "x").write_text("x")
    place = tmp_path / swapped
    place.rename(tmp_path / "gone")
    if kind == "link":
        place.symlink_to(tmp_path / swapped.replace("attempt", "other"))
    elif kind == "file":
        place.touch()
    before = open_fds()
    with pytest.raises(AttemptFailed, match="results can't be read") as failure:
        collected(tmp_path / "attempt/results")
    assert failure.value.reason is EndReason.BAD_OUTPUT
    assert open_fds() == before


def test_no_descriptor_stays_open(tmp_path):
    for name in "abc":
        (tmp_path / name).write_text(name)
    before = open_fds()
    collected(tmp_path)
    next(iter_ := collect(tmp_path, CollectLimits()))
    iter_.close()
    assert open_fds() == before


def plant_symlink(folder: Path) -> None:
    (folder / "x").symlink_to("/etc/passwd")


def plant_folder_link(folder: Path) -> None:
    (folder / "x").symlink_to("/etc")


def plant_hard_link(folder: Path) -> None:
    (folder / "x").write_text("secret")
    os.link(folder / "x", folder / "y")


def plant_fifo(folder: Path) -> None:
    os.mkfifo(folder / "x")


def plant_socket(folder: Path) -> None:
    with socket.socket(socket.AF_UNIX) as it:
        here = Path.cwd()
        os.chdir(folder)
        try:
            it.bind("x")
        finally:
            os.chdir(here)


@pytest.mark.parametrize(
    ("plant", "what"),
    [
        (plant_symlink, "results hold a symbolic link: x"),
        (plant_folder_link, "results hold a symbolic link: x"),
        (plant_hard_link, "results hold a hard link: x"),
        (plant_fifo, "results hold a named pipe: x"),
        (plant_socket, "results hold a socket: x"),
    ],
)
def test_what_is_no_plain_file_is_refused_by_name(tmp_path, plant, what):
    plant(tmp_path)
    with pytest.raises(AttemptFailed) as failure:
        collected(tmp_path)
    assert failure.value.reason is EndReason.BAD_OUTPUT
    assert failure.value.message == what


@pytest.mark.parametrize("name", [b"a\nb", b"\xff", b"a\x7f", b"\x1b[31m"])
def test_an_odd_name_is_refused_and_shown_harmlessly(tmp_path, name):
    Path(os.fsdecode(bytes(tmp_path) + b"/" + name)).write_text("")
    with pytest.raises(AttemptFailed, match="not plain UTF-8") as failure:
        collected(tmp_path)
    assert failure.value.message.isprintable()
    assert failure.value.message.isascii()


@pytest.mark.parametrize(
    ("limits", "what"),
    [
        ({"files": 2}, "more than 2 files"),
        ({"total_bytes": 29}, "more than 29 bytes"),
        ({"depth": 1}, "nest deeper than 1 folders: a"),
    ],
)
def test_too_much_is_refused(tmp_path, limits, what):
    (tmp_path / "a" / "b").mkdir(parents=True)
    for name in ("1", "2", "3"):
        (tmp_path / "a" / "b" / name).write_bytes(b"x" * 10)
    assert len(collected(tmp_path, files=3, total_bytes=30, depth=2)) == 3
    with pytest.raises(AttemptFailed, match=what):
        collected(tmp_path, **limits)


def test_a_sparse_file_counts_with_its_size(tmp_path):
    with (tmp_path / "sparse").open("wb") as file:
        file.truncate(1 << 40)
    with pytest.raises(AttemptFailed, match="more than"):
        collected(tmp_path)


def test_depth_is_refused_before_it_costs_anything(tmp_path):
    deep_folder(tmp_path / "top", 2000)
    with pytest.raises(AttemptFailed, match="nest deeper than 32 folders"):
        collected(tmp_path / "top")
    remove_tree(tmp_path / "top")
    assert not (tmp_path / "top").exists()


def test_a_hostile_tree_is_removed_and_nothing_it_points_to(tmp_path):
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "kept").write_text("kept")
    top = tmp_path / "top"
    for name in (".0", ".1", ".2"):
        (top / name / ".0" / ".1").mkdir(parents=True)
        (top / name / ".0" / "file").write_text("")
    (top / "closed" / "in").mkdir(parents=True)
    (top / ".3").write_text("")
    (top / "link").symlink_to(outside)
    (top / "closed" / "in" / "link").symlink_to(outside)
    os.mkfifo(top / "closed" / "fifo")
    (top / "closed" / "in").chmod(0)
    (top / "closed").chmod(0)
    remove_tree(top)
    assert [it.name for it in tmp_path.iterdir()] == ["outside"]
    assert (outside / "kept").read_text() == "kept"


def test_removing_a_link_removes_the_link_alone(tmp_path):
    (tmp_path / "kept").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "kept")
    remove_tree(tmp_path / "link")
    remove_tree(tmp_path / "missing")
    assert [it.name for it in tmp_path.iterdir()] == ["kept"]
