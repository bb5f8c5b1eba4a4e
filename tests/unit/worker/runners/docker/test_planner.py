"""Unit tests of planning containers, with a daemon that only describes itself."""

import os
from typing import Any

import pytest

from gridloom.errors import RunnerFailed
from gridloom.warmth import Isolation
from tests.fixtures.slots import make_grounds
from worker.runners.docker.assets import Assets
from worker.runners.docker.image_store import Image
from worker.runners.docker.planner import NOBODY, Planner
from worker.runners.docker.sweep import WORKER, WorkerIdentity
from worker.runners.protocol import SlotKey

IMAGE = Image(id="sha256:0", env={"A": "b"}, size_mib=1.0)
KEY = SlotKey(owner="owner", memory_mib=256)


class Described:
    """A daemon that tells what it is."""

    def __init__(self, engine: str = "Engine", options: tuple[str, ...] = (), volumes: Any = None) -> None:
        self._engine, self._options, self._volumes = engine, options, volumes
        self.asked = 0

    def info(self) -> dict[str, Any]:
        self.asked += 1
        return {"SecurityOptions": [*self._options]}

    def version(self) -> dict[str, Any]:
        return {"Components": [{"Name": self._engine}]}

    def inspect_image(self, image: str) -> dict[str, Any]:
        self.asked += 1
        return {"Config": {"Volumes": self._volumes}}


@pytest.fixture
def planner(tmp_path):
    identity = WorkerIdentity.of(os.getpid(), tmp_path)
    return Planner(make_grounds(tmp_path), Assets(tmp_path / "assets"), identity)


def test_a_plan_shows_the_owners_folders_and_gives_him_his_cache(planner, tmp_path):
    plan = planner.plan(Described(), KEY, "gridloom-1", IMAGE, "python3", "")
    seen = {(str(it.source.relative_to(tmp_path)), it.writable) for it in plan.shown}
    assert seen == {
        ("runs/gridloom-1", True),
        ("users/owner", True),
        ("components/owner", False),
        ("shared", False),
        ("assets/agent", False),
    }
    uid = os.geteuid() or NOBODY
    assert plan.user.split(":")[0] == str(uid)
    assert (tmp_path / "users/owner").stat().st_uid == uid
    assert plan.command[0] == "python3"
    assert f"components={tmp_path}/components/owner" in plan.command
    assert plan.labels[WORKER] == str(planner._identity)
    for path in (tmp_path / "assets/agent").rglob("*"):
        assert path.stat().st_mode & 0o044 == 0o044


def test_a_tmp_is_shared_by_tasks_of_a_job_or_an_app_only(planner):
    shared = {}
    for isolation in Isolation:
        key = SlotKey(owner="owner", isolation=isolation)
        shared[isolation] = (
            "shared_tmp=1" in planner.plan(Described(), key, "n", IMAGE, "python3", "").command
        )
    assert shared == {
        Isolation.TASK: False,
        Isolation.STRICT: False,
        Isolation.JOB: True,
        Isolation.APP: True,
    }


def test_an_image_without_python_is_shown_the_portable_one(planner, tmp_path):
    plan = planner.plan(Described(), KEY, "n", IMAGE, "", "")
    assert plan.command[0].startswith("/.gridloom/python/")
    assert "portable=1" in plan.command
    assert str(tmp_path / "assets/python") in {str(it.source) for it in plan.shown}


def test_apparmor_is_named_only_where_it_is_in_use(planner, tmp_path):
    assert not any(
        "apparmor" in it for it in planner.plan(Described(), KEY, "n", IMAGE, "python3", "").security
    )
    other = Planner(planner._grounds, planner._assets, planner._identity)
    described = Described(options=("name=apparmor", "name=seccomp,profile=default"))
    assert "apparmor=unconfined" in other.plan(described, KEY, "n", IMAGE, "python3", "").security


def test_podman_is_given_the_profile_as_a_file(planner, tmp_path):
    plan = planner.plan(Described("Podman Engine"), KEY, "n", IMAGE, "python3", "")
    assert plan.security == (f"seccomp={tmp_path}/assets/seccomp.json", "unmask=ALL")
    assert (tmp_path / "assets/seccomp.json").read_text().startswith('{"defaultAction"')


def test_daemon_and_image_are_asked_once(planner):
    described = Described(volumes={"/b": {}, "/a": {}})
    for _ in range(2):
        plan = planner.plan(described, KEY, "n", IMAGE, "python3", "")
    assert plan.volumes == ("/a", "/b")
    assert described.asked == 2


def test_a_portable_interpreter_that_can_not_be_made_is_named(planner, monkeypatch):
    monkeypatch.setattr("worker.runners.docker.assets.base_python", lambda: "/nowhere/python3")
    with pytest.raises(RunnerFailed, match="/nowhere/python3 can't be copied"):
        planner.plan(Described(), KEY, "n", IMAGE, "", "")
