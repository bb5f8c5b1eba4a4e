import pytest

from gridloom.states import Stage
from gridloom.wire import Claimed
from tests.fixtures.control_plane import JOB
from worker.leases import LeaseBook
from worker.live_logs import LiveLogs
from worker.output import OutputCapture
from worker.unsent_logs import UnsentLogs


@pytest.fixture
def live_logs(control_plane):
    control = control_plane.client()
    yield LiveLogs(control, UnsentLogs())
    control.close()


@pytest.fixture
def lease():
    return LeaseBook().take(JOB, Stage.APP, [Claimed(chunk=4, attempt=2)], lease_s=60, asked_at=0)[0]


def running(live_logs, lease, text, seconds=2.0):
    capture = OutputCapture()
    watched = live_logs.watch(lease, capture)
    watched.since -= seconds
    capture.write("stdout", text)
    return watched, capture


def test_lines_of_a_task_that_has_run_a_while_are_sent_while_it_runs(live_logs, lease, control_plane):
    watched, capture = running(live_logs, lease, b"one\ntwo\nhal")
    live_logs.ship()
    assert [(it["c"], it["a"], it["m"]) for it in control_plane.lines] == [(4, 2, "one"), (4, 2, "two")]
    capture.write("stdout", b"f\n")
    assert [line.text for line in live_logs.leave(watched)] == ["half"]


def test_a_short_task_costs_no_call(live_logs, lease, control_plane):
    watched, _ = running(live_logs, lease, b"quick\n", seconds=0.0)
    live_logs.ship()
    assert control_plane.calls["logs"] == 0
    assert [line.text for line in live_logs.leave(watched)] == ["quick"]


def test_lines_that_could_not_be_sent_are_sent_later(live_logs, lease, control_plane):
    watched, _ = running(live_logs, lease, b"one\n")
    control_plane.answers["logs"] = [503]
    live_logs.ship()
    assert control_plane.lines == []
    assert live_logs.leave(watched) == []
    live_logs.ship()
    assert [it["m"] for it in control_plane.lines] == ["one"]
    live_logs.ship()
    assert control_plane.calls["logs"] == 2


def test_refused_lines_are_let_go(live_logs, lease, control_plane):
    running(live_logs, lease, b"one\n")
    control_plane.answers["logs"] = [404]
    live_logs.ship()
    live_logs.ship()
    assert control_plane.calls["logs"] == 1
