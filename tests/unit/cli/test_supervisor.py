"""Tests of the supervisor, which runs in a process of its own over small shell scripts."""

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import pytest

from cli.supervisor import Supervisor

ROOT = Path(__file__).parents[3]
MAIN = """
import json, sys
from pathlib import Path
from cli import supervisor
from cli.supervisor import ChildSpec, Supervisor
settings = json.loads(sys.argv[1])
supervisor.FIRST_DELAY_S, supervisor.HEALTH_S, supervisor._IDLE_S = 0.01, 0.01, 0.05
def exists(path):
    return (lambda: Path(path).exists()) if path else None
def spec(name, script, stop_order=0, grace_s=5, wave=0, ready="", healthy=""):
    return ChildSpec(
        name=name, argv=["/bin/sh", "-c", script], stop_order=stop_order, grace_s=grace_s,
        wave=wave, ready=exists(ready), healthy=exists(healthy),
    )
def emit(name, line):
    print(f"[{name}] {line}", flush=True)
specs = [spec(**it) for it in settings]
sys.exit(0 if Supervisor(specs, emit).run(lambda: emit("up", "READY")) else 1)
"""


@contextmanager
def supervised(*specs):
    with subprocess.Popen(
        [sys.executable, "-c", MAIN, json.dumps(specs)], cwd=ROOT, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def until(process, wanted):
    """Read lines up to one that holds the wanted text."""
    lines = []
    for line in process.stdout:
        lines.append(line.rstrip("\n"))
        if wanted in line:
            return lines
    raise AssertionError(f"{wanted} never came: {lines}")


def is_alive(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def wait_for(condition):
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_lines_carry_the_name_of_the_child_and_the_last_one_needs_no_end(tmp_path):
    said = tmp_path / "said"
    script = f"echo one; echo two >&2; printf three; touch {said}; exec sleep 60"
    with supervised({"name": "a", "script": script}) as process:
        assert until(process, "two")[-2:] == ["[a] one", "[a] two"]
        wait_for(said.exists)
        process.terminate()
        assert "[a] three" in process.stdout.read()
        assert process.wait() == 0


def test_a_wave_starts_when_the_one_before_is_ready(tmp_path):
    flag = tmp_path / "flag"
    first = {"name": "a", "script": f"sleep 0.1; echo up; touch {flag}; exec sleep 60", "ready": str(flag)}
    with supervised(first, {"name": "b", "script": "echo up; exec sleep 60", "wave": 1}) as process:
        lines = until(process, "[b] up")
        assert [it for it in lines if it.endswith(" up")] == ["[a] up", "[b] up"]


def test_children_of_a_wave_do_not_wait_for_each_other(tmp_path):
    flag = tmp_path / "flag"
    first = {"name": "a", "script": "echo up; exec sleep 60", "ready": str(flag)}
    with supervised(first, {"name": "b", "script": f"touch {flag}; exec sleep 60"}) as process:
        until(process, "[up] READY")


def test_what_dies_is_started_again():
    with supervised({"name": "a", "script": "echo pid $$; exec sleep 60"}) as process:
        first = int(until(process, "[a] pid")[-1].split()[-1])
        os.kill(first, signal.SIGKILL)
        lines = until(process, "[a] pid")
        assert any("a was ended by signal 9; starts again" in it for it in lines)
        assert int(lines[-1].split()[-1]) != first


def test_a_child_that_never_starts_ends_the_start_and_stops_the_others(tmp_path):
    never = str(tmp_path / "never")
    with supervised(
        {"name": "a", "script": "echo pid $$; exec sleep 60"},
        {"name": "b", "script": "exit 3", "ready": never},
    ) as process:
        lines = until(process, "does not start")
        assert any("b ended with exit code 3" in it for it in lines)
        pid = next(int(it.split()[-1]) for it in lines if "[a] pid" in it)
        assert process.wait() == 1
        assert not is_alive(pid)


def test_children_stop_in_order():
    script = "trap 'echo stopping; exit 0' TERM; echo started; while :; do sleep 0.02; done"
    specs = [
        {"name": name, "script": script, "stop_order": order}
        for name, order in (("a", 2), ("b", 0), ("c", 1))
    ]
    with supervised(*specs) as process:
        for _ in specs:
            until(process, "started")
        process.terminate()
        rest = process.stdout.read()
        assert [it for it in rest.splitlines() if "stopping" in it] == [
            f"[{name}] stopping" for name in "bca"
        ]
        assert process.wait() == 0


def test_a_child_that_does_not_stop_is_killed_after_its_grace():
    script = "trap '' TERM; echo started $$; while :; do sleep 0.02; done"
    with supervised({"name": "a", "script": script, "grace_s": 0.1}) as process:
        pid = int(until(process, "started")[-1].split()[-1])
        process.terminate()
        assert process.wait() == 0
        assert not is_alive(pid)


def test_a_second_signal_kills_at_once():
    script = "trap 'echo hears' TERM; echo started; while :; do sleep 0.02; done"
    with supervised({"name": "a", "script": script, "grace_s": 60}) as process:
        until(process, "started")
        process.send_signal(signal.SIGINT)
        until(process, "hears")
        process.send_signal(signal.SIGINT)
        assert process.wait() == 0


@pytest.mark.skipif(sys.platform != "linux", reason="the tie to the parent is Linux's")
def test_children_die_with_a_killed_supervisor():
    with supervised(
        {"name": "a", "script": "echo pid $$; trap '' TERM; while :; do sleep 0.02; done"}
    ) as process:
        pid = int(until(process, "pid")[-1].split()[-1])
        process.kill()
        process.wait()
        wait_for(lambda: not is_alive(pid))


def test_restarts_come_at_growing_intervals():
    with supervised({"name": "a", "script": "exit 0"}) as process:
        delays = [float(until(process, "starts again")[-1].split()[-2]) for _ in range(6)]
        assert delays == sorted(delays)
        assert delays[-1] > delays[0]


def test_nothing_to_run_is_ready_at_once():
    assert Supervisor([], lambda *_: None)._start() is True


def test_a_child_that_runs_but_does_not_do_its_work_starts_anew(tmp_path):
    sign = tmp_path / "sign"
    once = f"touch {sign}; echo started; exec sleep 600"
    with supervised({"name": "a", "script": once, "healthy": str(sign)}) as process:
        until(process, "[a] started")
        sign.unlink()
        lines = until(process, "[a] started")
    assert "[up] a runs but does not answer; it is killed" in lines
    assert any("was ended by signal 9" in line for line in lines)
