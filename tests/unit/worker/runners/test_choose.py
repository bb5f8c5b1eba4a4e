"""Unit tests of the choice of a runner."""

import socket

import pytest

from gridloom.errors import RunnerFailed, SetupFailed
from gridloom.settings import Settings
from worker.runners import choose
from worker.runners.choose import answers, choose_runner
from worker.runners.mock import MockRunner


@pytest.fixture
def decide(grounds, monkeypatch, tmp_path):
    """Choose on a machine without cgroups, whose Docker socket is what the test says, and none by default."""
    monkeypatch.setattr(choose.Cgroups, "detect", classmethod(lambda cls: None))
    monkeypatch.delenv("DOCKER_HOST", raising=False)

    def run(name, *, loopback=True, **more):
        settings = Settings(runner=name, **{"docker_url": f"unix://{tmp_path}/none.sock", **more})
        return choose_runner(settings, grounds, loopback=loopback)

    return run


def answer(monkeypatch, reason):
    monkeypatch.setattr(choose.BubblewrapRunner, "probe", lambda self: reason)


def daemon(monkeypatch, tmp_path, start):
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(tmp_path / "docker.sock"))
    listener.listen(8)
    monkeypatch.setattr(choose, "_docker", start)
    return listener, f"unix://{tmp_path}/docker.sock"


@pytest.mark.parametrize("name", ["process", "mock"])
def test_a_named_runner_is_taken_without_a_word(decide, name):
    runner, warning = decide(name, loopback=False)
    assert (runner.capabilities.name, warning) == (name, None)
    runner.close()


@pytest.mark.parametrize("name", ["auto", "bubblewrap"])
def test_a_sandbox_that_works_is_taken(decide, monkeypatch, name):
    answer(monkeypatch, None)
    runner, warning = decide(name, loopback=False)
    assert (runner.capabilities.name, warning) == ("bubblewrap", None)


def test_auto_falls_back_on_this_machine_alone_and_says_why(decide, monkeypatch):
    answer(monkeypatch, "no namespaces")
    runner, warning = decide("auto")
    assert runner.capabilities.name == "process"
    assert "no namespaces" in warning
    runner.close()


@pytest.mark.parametrize(("name", "loopback"), [("auto", False), ("bubblewrap", True), ("bubblewrap", False)])
def test_a_sandbox_that_does_not_work_is_refused_with_its_reason(decide, monkeypatch, name, loopback):
    answer(monkeypatch, "no namespaces")
    with pytest.raises(SetupFailed, match="no namespaces"):
        decide(name, loopback=loopback)


@pytest.mark.parametrize("name", ["auto", "docker"])
def test_a_daemon_that_answers_is_taken(decide, grounds, monkeypatch, tmp_path, name):
    containers = MockRunner(grounds)
    listener, url = daemon(monkeypatch, tmp_path, lambda settings, grounds: containers)
    with listener:
        assert decide(name, docker_url=url) == (containers, None)


def test_auto_goes_on_in_sandboxes_when_a_daemon_answers_and_does_not_work(decide, monkeypatch, tmp_path):
    def fail(settings, grounds):
        raise RunnerFailed("its version is too old")

    answer(monkeypatch, None)
    listener, url = daemon(monkeypatch, tmp_path, fail)
    with listener:
        runner, warning = decide("auto", docker_url=url)
        assert runner.capabilities.name == "bubblewrap"
        assert "its version is too old" in warning
        with pytest.raises(SetupFailed, match="docker does not work here: its version is too old"):
            decide("docker", docker_url=url)


def test_a_daemon_elsewhere_is_not_knocked_at(tmp_path):
    assert not answers("tcp://127.0.0.1:1")
    assert not answers(f"unix://{tmp_path}/missing")
    (tmp_path / "file").write_text("")
    assert not answers(f"unix://{tmp_path}/file")


def test_an_interpreter_that_is_not_there_is_refused(decide):
    with pytest.raises(SetupFailed, match="GRIDLOOM_PYTHON: /nowhere/python3 is not a program"):
        decide("process", python="/nowhere/python3")
