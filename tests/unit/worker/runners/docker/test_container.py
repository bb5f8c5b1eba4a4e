"""Unit tests of a container as an agent's home: on trees of plain files, and on a real daemon."""

import threading
import time
from contextlib import closing

import pytest
from docker.errors import NotFound

from gridloom.errors import RunnerFailed
from gridloom.states import EndReason
from tests.fixtures.slots import Stage
from worker.runners.docker.container import ContainerHome, memory_cgroup, occupied, oom_counter, remove
from worker.runners.docker.daemon import open_client
from worker.runners.protocol import Limits


def home_of(slot) -> ContainerHome:
    return slot._home


@pytest.mark.parametrize(
    ("lines", "place", "counter"),
    [
        ("4:memory:/docker/c\n0::/x\n", "memory/docker/c", "memory.oom_control"),
        ("7:cpu,memory:/docker/c\n", "memory/docker/c", "memory.oom_control"),
        ("0::/system.slice/docker-c.scope\n", "system.slice/docker-c.scope", "memory.events"),
    ],
)
def test_a_processs_memory_cgroup_is_found_in_both_versions(tmp_path, lines, place, counter):
    (tmp_path / "proc/7").mkdir(parents=True)
    (tmp_path / "proc/7/cgroup").write_text(lines)
    folder = tmp_path / "fs" / place
    assert memory_cgroup(7, tmp_path / "proc", tmp_path / "fs") is None
    folder.mkdir(parents=True)
    (folder / counter).touch()
    assert memory_cgroup(7, tmp_path / "proc", tmp_path / "fs") == folder
    assert memory_cgroup(8, tmp_path / "proc", tmp_path / "fs") is None


@pytest.mark.parametrize(
    ("stat", "expected"),
    [
        ("anon 10\nfile 99\nshmem 5\n", 15),
        ("cache 99\nrss 1\ntotal_rss 20\ntotal_shmem 3\n", 23),
        ("total_rss 20\n", 20),
        ("", None),
        ("odd line here\n", None),
    ],
)
def test_cached_files_are_no_occupancy(tmp_path, stat, expected):
    (tmp_path / "memory.stat").write_text(stat)
    assert occupied(tmp_path) == expected


def test_kills_for_want_of_memory_are_counted(tmp_path):
    home = ContainerHome(
        lambda: open_client("unix:///nowhere"), "id", tmp_path, network=False, gone=lambda: None
    )
    assert home.oom_kills() is None
    assert oom_counter(tmp_path) is None
    for name, text, kills in (
        ("memory.oom_control", "oom_kill_disable 0\nunder_oom 0\noom_kill 2\n", 2),
        ("memory.events", "low 0\noom 4\noom_kill 3\n", 3),
    ):
        (tmp_path / name).write_text(text)
        home._kills = oom_counter(tmp_path)
        assert home.oom_kills() == kills
        home._kills.close()
        (tmp_path / name).unlink()


def test_without_a_network_there_are_no_bytes_to_count(open_slot, python_image):
    assert home_of(open_slot(python_image)).network_bytes() is None


def test_a_kill_by_the_daemon_ends_a_run_and_may_come_twice(open_slot, python_image):
    slot = open_slot(python_image)
    stage = Stage(slot)
    killer = threading.Timer(0.3, home_of(slot).kill)
    killer.start()
    with pytest.raises(RunnerFailed):
        stage.run("import time; time.sleep(60)", name="main.py", limits=Limits(timeout_s=30))
    killer.join()
    home_of(slot).kill()
    slot.close()
    home_of(slot).kill()
    assert home_of(slot).memory_mib() == 0


def test_a_frozen_container_is_killed_by_the_daemon_after_the_agent_did_not(
    open_slot, docker_client, python_image
):
    slot = open_slot(python_image)
    stage = Stage(slot)
    container = docker_client.containers.get(slot.folder.name)
    freezer = threading.Timer(0.3, container.pause)
    freezer.start()
    began = time.monotonic()
    ended = stage.run("import time; time.sleep(60)", name="main.py", limits=Limits(timeout_s=0.5))
    freezer.join()
    assert ended.reason is EndReason.TIMEOUT
    assert slot.memory_mib() == 0
    with pytest.raises(RunnerFailed, match="closed"):
        stage.run("")
    assert time.monotonic() - began < 15
    slot.close()
    with pytest.raises(NotFound):
        container.reload()


def test_the_counter_of_a_real_container_tells_want_of_memory(open_slot, python_image):
    slot = open_slot(python_image, memory_mib=64)
    if home_of(slot).oom_kills() is None:
        pytest.skip("this daemon's cgroups can't be read here")
    limits = Limits(timeout_s=20, memory_mib=64)
    code = "import os; os.fork() or bytearray(400 << 20); os.wait(); raise SystemExit(9)"
    ended = Stage(slot).run(code, name="main.py", limits=limits)
    assert home_of(slot).oom_kills() >= 1
    assert ended.reason in {EndReason.OUT_OF_MEMORY, EndReason.EXIT_NONZERO}


def test_removing_is_harmless_when_somebody_else_does(docker_url, docker_client, python_image):
    container = docker_client.containers.create(python_image, "none")

    def take_part() -> None:
        with closing(open_client(docker_url)) as client:
            remove(client, container.id)

    threads = [threading.Thread(target=take_part) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    take_part()
    with pytest.raises(NotFound):
        container.reload()
