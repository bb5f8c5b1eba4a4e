"""Unit tests of the choice of a runner."""

import pytest

from gridloom.errors import SetupFailed
from worker.runners import choose
from worker.runners.choose import choose_runner


@pytest.fixture
def no_cgroups(monkeypatch):
    monkeypatch.setattr(choose.Cgroups, "detect", classmethod(lambda cls: None))


def answer(monkeypatch, reason):
    monkeypatch.setattr(choose.BubblewrapRunner, "probe", lambda self: reason)


@pytest.mark.parametrize("name", ["process", "mock"])
def test_a_named_runner_is_taken_without_a_word(no_cgroups, name):
    runner, warning = choose_runner(name, loopback=False)
    assert (runner.capabilities.name, warning) == (name, None)
    runner.close()


@pytest.mark.parametrize("name", ["auto", "bubblewrap"])
def test_a_sandbox_that_works_is_taken(no_cgroups, monkeypatch, name):
    answer(monkeypatch, None)
    runner, warning = choose_runner(name, loopback=False)
    assert (runner.capabilities.name, warning) == ("bubblewrap", None)


def test_auto_falls_back_on_this_machine_alone_and_says_why(no_cgroups, monkeypatch):
    answer(monkeypatch, "no namespaces")
    runner, warning = choose_runner("auto", loopback=True)
    assert runner.capabilities.name == "process"
    assert "no namespaces" in warning
    runner.close()


@pytest.mark.parametrize(("name", "loopback"), [("auto", False), ("bubblewrap", True), ("bubblewrap", False)])
def test_a_sandbox_that_does_not_work_is_refused_with_its_reason(no_cgroups, monkeypatch, name, loopback):
    answer(monkeypatch, "no namespaces")
    with pytest.raises(SetupFailed, match="no namespaces"):
        choose_runner(name, loopback=loopback)


def test_an_unknown_name_is_refused():
    with pytest.raises(SetupFailed, match="podman"):
        choose_runner("podman", loopback=True)


def test_an_interpreter_that_is_not_there_is_refused():
    with pytest.raises(SetupFailed, match="GRIDLOOM_PYTHON: /nowhere/python3 is not a program"):
        choose_runner("process", loopback=True, python="/nowhere/python3")
