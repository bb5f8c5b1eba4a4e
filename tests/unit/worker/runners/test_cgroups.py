"""Unit tests of cgroups: on trees of plain files, and on the kernel's own where it lets us."""

import errno
import os
from pathlib import Path

import pytest

from gridloom.states import EndReason
from tests.fixtures.slots import KEY, Stage, make_grounds
from worker.runners.cgroups import V1, V2, Cgroup, Cgroups
from worker.runners.process import ProcessRunner
from worker.runners.protocol import Limits


@pytest.fixture
def real():
    found = Cgroups.detect()
    if found is None:
        pytest.skip("this user may make no cgroups here")
    return found


def test_version_1_bounds_memory_with_swap_and_processes(tmp_path):
    for tree in ("memory", "pids"):
        (tmp_path / tree).mkdir()
    group = Cgroup(tmp_path / "memory/a", tmp_path / "pids/a", V1)
    (tmp_path / "memory/a/memory.memsw.limit_in_bytes").write_text("")
    group.limit(10, 20)
    assert (tmp_path / "memory/a/memory.limit_in_bytes").read_text() == str(10 << 20)
    assert (tmp_path / "memory/a/memory.memsw.limit_in_bytes").read_text() == str(10 << 20)
    assert (tmp_path / "pids/a/pids.max").read_text() == "20"


def test_version_2_has_one_tree(tmp_path):
    group = Cgroup(tmp_path / "a", tmp_path / "a", V2)
    (tmp_path / "a/memory.events").write_text("low 0\noom 3\noom_kill 2\n")
    group.limit(10, 20)
    group.add(77)
    assert (tmp_path / "a/memory.max").read_text() == str(10 << 20)
    assert (tmp_path / "a/pids.max").read_text() == "20"
    assert (tmp_path / "a/cgroup.procs").read_text() == "77"
    assert group.oom_kills() == 2
    assert group.members() == [77]


@pytest.mark.parametrize("lines", ["", "0::/\n", "4:memory:/nowhere\n0::/x\n"])
def test_without_a_tree_there_are_none(tmp_path, lines):
    (tmp_path / "own").write_text(lines)
    assert Cgroups.detect(tmp_path / "root", tmp_path / "own") is None


def test_version_2_takes_the_group_beside_when_its_own_may_have_no_children(tmp_path, monkeypatch):
    own = tmp_path / "slice/service"
    own.mkdir(parents=True)
    (own / "cgroup.subtree_control").touch()
    (tmp_path / "slice/cgroup.subtree_control").touch()
    write = Path.write_text

    def as_the_kernel(path: Path, text: str) -> int:
        if path.parent == own:
            raise OSError(errno.EBUSY, "busy")
        return write(path, text.replace("+", ""))

    monkeypatch.setattr(Path, "write_text", as_the_kernel)
    found = Cgroups._detect_v2(tmp_path, {"": "/slice/service"})
    assert found is not None
    assert (found._memory, found._pids) == (tmp_path / "slice", tmp_path / "slice")


def test_groups_of_dead_workers_are_swept(tmp_path):
    dead, alive = tmp_path / "gridloom-999999999-0", tmp_path / f"gridloom-{os.getpid()}-0"
    for folder in (dead, alive, tmp_path / "gridloom-x"):
        folder.mkdir()
    Cgroups(tmp_path, None, V1).sweep()
    assert not dead.exists()
    assert alive.exists()


def test_a_slot_in_a_real_group_names_want_of_memory_and_goes_on(real, tmp_path):
    runner = ProcessRunner(make_grounds(tmp_path), cgroups=real)
    before = groups_of(real)
    stage = Stage(runner.open_slot(KEY))
    try:
        hog = "x = []\nwhile True: x.append(b'x' * (1 << 20))\n"
        ended = stage.run(hog, name="main.py", limits=Limits(timeout_s=20, memory_mib=64))
        assert (ended.reason, ended.signal) == (EndReason.OUT_OF_MEMORY, 9)
        assert "64 MiB" in ended.message
        fed = stage.run(
            "x = b'x' * (100 << 20)\n", name="main.py", limits=Limits(timeout_s=20, memory_mib=256)
        )
        assert fed.succeeded
    finally:
        stage.slot.close()
        runner.close()
    assert groups_of(real) == before


def groups_of(cgroups):
    """Return the groups of this process's slots; other tests may keep theirs open."""
    return set(cgroups._memory.glob(f"gridloom-{os.getpid()}-*"))


def test_a_real_group_bounds_processes(real, tmp_path):
    if not real.bounds_processes:
        pytest.skip("no pids controller here")
    runner = ProcessRunner(make_grounds(tmp_path), cgroups=real)
    stage = Stage(runner.open_slot(KEY))
    code = "import os, time\nfor n in range(100):\n    if os.fork() == 0: time.sleep(30); os._exit(0)\n"
    try:
        ended = stage.run(code, name="main.py", limits=Limits(timeout_s=20, processes=20))
        assert ended.reason is EndReason.EXIT_NONZERO
        assert "BlockingIOError" in ended.message
    finally:
        stage.slot.close()
        runner.close()
