"""Unit tests of whose containers are whose, and of removing what nobody has any more."""

import os
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gridloom.errors import RunnerFailed
from tests.unit.worker.runners.docker.conftest import left_of
from worker.runners.docker.sweep import PREFIX, SLOT, WORKER, WorkerIdentity, orphans, start_of, sweep

ME = WorkerIdentity.of(os.getpid(), Path("/scratch"))
NAME = f"{PREFIX}0123456789abcdef"


@pytest.fixture
def dead() -> WorkerIdentity:
    """Return the identity of a process that has ended."""
    with subprocess.Popen(["sleep", "60"]) as process:
        found = WorkerIdentity.of(process.pid, Path("/elsewhere"))
        process.kill()
    return found


def listed(owner: object, *, slot: str = NAME, name: str = "", ident: str = "id") -> dict[str, object]:
    return {"Id": ident, "Names": [f"/{name or slot}"], "Labels": {WORKER: str(owner), SLOT: slot}}


def test_an_identity_survives_its_label():
    assert WorkerIdentity.parse(str(ME)) == ME
    assert ME.started == start_of(os.getpid())


@given(st.one_of(st.text(), st.lists(st.sampled_from([str(ME), "/", "-", "9" * 30, "x"])).map("".join)))
def test_a_strange_label_is_no_identity_or_a_whole_one(label):
    found = WorkerIdentity.parse(label)
    assert found is None or str(found) == label or WorkerIdentity.parse(str(found)) == found


def test_a_worker_is_gone_when_its_process_is(dead):
    assert ME.outlived(dead)
    with subprocess.Popen(["sleep", "60"]) as process:
        alive = WorkerIdentity.of(process.pid, Path("/elsewhere"))
        assert not ME.outlived(alive)
        assert ME.outlived(replace(alive, started=alive.started + 1))
        assert ME.outlived(replace(alive, boot="0"))
        process.kill()


def test_a_worker_of_another_pid_namespace_is_taken_to_be_alive(dead):
    assert not ME.outlived(replace(dead, pid_space=1))


def test_whoever_had_this_scratch_folder_before_is_gone():
    assert ME.outlived(replace(ME, pid_space=1))
    assert ME.outlived(replace(ME, started=1))
    assert not ME.outlived(ME)


def test_orphans_are_the_unknown_of_this_worker_and_all_of_dead_ones(dead):
    assert orphans([listed(ME)], ME, {NAME}.__contains__) == []
    assert orphans([listed(ME)], ME, set().__contains__) == [("id", NAME)]
    assert orphans([listed(dead)], ME, set().__contains__) == [("id", NAME)]
    assert orphans([listed(replace(dead, pid_space=1))], ME, set().__contains__) == []


@pytest.mark.parametrize(
    "foreign",
    [
        {"Id": "x", "Names": ["/web"], "Labels": None},
        {"Id": "x", "Names": None, "Labels": {WORKER: str(ME), SLOT: NAME}},
        {"Id": "x", "Names": ["/web"], "Labels": {WORKER: str(ME)}},
        listed("garbage"),
        listed("0/0/0/0/" + "9" * 400),
        listed(ME, name="web"),
        listed(ME, slot="web"),
        listed(ME, slot="../../etc"),
    ],
)
def test_containers_that_only_look_like_ours_are_left_alone(foreign):
    assert orphans([foreign], ME, set().__contains__) == []


def test_folders_of_no_container_and_no_slot_are_removed(tmp_path):
    kept, listed_one, lost, foreign = (
        tmp_path / it for it in (f"{PREFIX}a", f"{PREFIX}b", f"{PREFIX}c", "1")
    )
    for folder in (kept, listed_one, lost, foreign):
        (folder / "below").mkdir(parents=True)
    removed: list[str] = []
    alive = [listed(ME, slot=listed_one.name)]
    count = sweep(lambda: alive, removed.append, tmp_path, ME, {kept.name, listed_one.name}.__contains__)
    assert (count, removed) == (1, [])
    assert {*tmp_path.iterdir()} == {kept, listed_one, foreign}


def test_a_container_that_can_not_be_removed_keeps_its_folder_and_the_others_go(tmp_path, dead):
    stuck, other = f"{PREFIX}a", f"{PREFIX}b"
    for name in (stuck, other):
        (tmp_path / name).mkdir()

    def remove(ident: str) -> None:
        if ident == stuck:
            raise RunnerFailed("stuck")

    found = [listed(dead, slot=it, ident=it) for it in (stuck, other)]
    assert sweep(lambda: found, remove, tmp_path, ME, set().__contains__) == 2
    assert [it.name for it in tmp_path.iterdir()] == [stuck]


def test_without_a_list_nothing_is_removed(tmp_path):
    (tmp_path / NAME).mkdir()

    def containers() -> list[object]:
        raise RunnerFailed("no daemon")

    with pytest.raises(RunnerFailed):
        sweep(containers, lambda _: None, tmp_path, ME, set().__contains__)
    assert (tmp_path / NAME).exists()


def test_a_real_sweep_removes_a_dead_workers_container_and_spares_open_slots_and_strangers(
    open_slot, runner, docker_client, python_image, dead
):
    slot = open_slot(python_image)
    labels = {WORKER: str(dead), SLOT: f"{PREFIX}{os.urandom(8).hex()}"}
    orphan = docker_client.containers.create(python_image, "none", name=labels[SLOT], labels=labels)
    stranger = docker_client.containers.create(python_image, "none", labels=labels)
    try:
        runner.sweep()
        names = {it.name for it in docker_client.containers.list(all=True, ignore_removed=True)}
        assert orphan.name not in names
        assert stranger.name in names
        assert left_of(docker_client, runner) == [slot.folder.name]
        assert slot.folder.exists()
    finally:
        stranger.remove(force=True)


def test_a_slot_that_this_worker_forgot_is_swept_with_its_folder(
    open_slot, runner, docker_client, python_image
):
    slot = open_slot(python_image)
    runner._known.clear()
    runner.sweep()
    assert left_of(docker_client, runner) == []
    assert not slot.folder.exists()
