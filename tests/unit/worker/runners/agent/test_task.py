"""Unit tests of what a task gets of the agent, and of scripts that behave badly."""

import os
import signal
import time

import psutil
import pytest

from gridloom.states import EndReason
from tests.fixtures.slots import gone
from worker.runners.protocol import Limits

SHOW_FDS = "import os\nfor fd in sorted(os.listdir('/proc/self/fd'), key=int): print(fd, os.path.realpath(f'/proc/self/fd/{fd}'))"


def test_a_python_script_gets_three_descriptors_alone(stage):
    shown = [line.split(" ", 1) for line in stage.say(SHOW_FDS).splitlines()]
    assert [fd for fd, _ in shown] == ["0", "1", "2", "3"]  # the last one is the listing's own
    assert shown[0][1] == "/dev/null"
    assert all("pipe:" in where for _, where in shown[1:3])


def test_a_program_gets_three_descriptors_alone(stage):
    assert stage.run("ls /proc/self/fd").succeeded
    assert stage.heard.stdout == b"0\n1\n2\n3\n"


def test_a_child_in_another_program_gets_no_more(stage):
    stage.say("import os; os.execv('/bin/ls', ['ls', '/proc/self/fd'])")
    assert stage.heard.stdout == b"0\n1\n2\n3\n"


def test_no_signal_is_handled_in_a_program(stage):
    assert stage.run("cat /proc/self/status").succeeded
    lines = [line.split() for line in stage.heard.stdout.splitlines()]
    assert {it[1] for it in lines if it[0] in {b"SigIgn:", b"SigCgt:", b"SigBlk:"}} == {b"0" * 16}


def test_a_script_that_stops_itself_ends_at_its_timeout(stage):
    code = "import os, signal; os.kill(os.getpid(), signal.SIGSTOP)"
    ended = stage.run(code, name="main.py", limits=Limits(timeout_s=0.2))
    assert ended.reason is EndReason.TIMEOUT
    assert stage.run("exit 0").succeeded


@pytest.mark.parametrize(
    "number", [signal.SIGTERM, signal.SIGKILL, signal.SIGHUP, signal.SIGPIPE, signal.SIGXFSZ]
)
def test_a_script_that_signals_its_whole_group_hurts_itself_alone(stage, number):
    ended = stage.run(f"kill -{number} 0; sleep 10")
    assert ended.signal == number
    assert stage.run("exit 0").succeeded


def test_a_script_that_signals_its_parent_ends_the_run_or_nothing(stage):
    stage.say("import os, signal; os.kill(os.getppid(), signal.SIGCHLD)")
    assert stage.run("exit 0").succeeded


def test_stopped_orphans_that_ignore_signals_are_ended(stage):
    code = """
        import os, signal, time
        for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}:
            signal.signal(number, signal.SIG_IGN)
        read, write = os.pipe()
        for _ in range(3):
            if os.fork() == 0:
                os.setsid()
                if os.fork() == 0:
                    os.write(write, b"%d " % os.getpid())
                    os.kill(os.getpid(), signal.SIGSTOP)
                    time.sleep(60)
                os._exit(0)
        told = b""
        while told.count(b" ") < 3: told += os.read(read, 100)
        print(told.decode())
    """
    pids = [int(it) for it in stage.say(code).split()]
    assert len(pids) == 3
    assert all(gone(pid, within_s=0.1) for pid in pids)


def test_a_fork_of_a_script_that_outlives_it_tells_nothing(stage):
    code = """
        import os, time
        if os.fork():
            import wave
        else:
            time.sleep(0.001)
            import colorsys
    """
    for _ in range(5):
        assert not {"colorsys"} & {*stage.run(code, name="main.py").modules}


def test_a_task_is_not_given_to_a_spare_that_has_died(stage):
    """Such as for want of memory: it is the first that the kernel would kill."""
    agent = stage.slot._link.pid
    for _ in range(3):
        (spare,) = spares_of(agent)
        os.kill(spare, signal.SIGKILL)
        assert gone(spare)
        assert stage.run("exit 0").succeeded


def spares_of(agent: int) -> list[int]:
    """Return the agent's children once there are any."""
    while not (found := [it.pid for it in psutil.Process(agent).children()]):
        time.sleep(0.001)
    return found
