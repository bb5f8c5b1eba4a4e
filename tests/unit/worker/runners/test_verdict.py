"""Unit tests of how a run is judged."""

import signal

import pytest

from gridloom.states import EndReason
from worker.runners.agent_link import Reply
from worker.runners.protocol import Limits
from worker.runners.verdict import Facts, judge


def facts(status: int = 0, *, peak: float = 10.0, **changes: object) -> Facts:
    known = {
        "killed": None,
        "oom_kills": None,
        "last_line": "",
        "limits": Limits(timeout_s=2.5, memory_mib=100),
    }
    return Facts(reply=Reply(number=1, status=status, peak_memory_mib=peak), **(known | changes))


def exited(code: int) -> int:
    return code << 8


@pytest.mark.parametrize(
    ("given", "reason", "code", "number", "message"),
    [
        (facts(0), None, 0, None, ""),
        (facts(exited(3)), EndReason.EXIT_NONZERO, 3, None, "exit code 3"),
        (facts(exited(3), last_line="boom"), EndReason.EXIT_NONZERO, 3, None, "exit code 3: boom"),
        (facts(signal.SIGSEGV), EndReason.EXIT_NONZERO, None, 11, "killed by signal SIGSEGV"),
        (facts(exited(139)), EndReason.EXIT_NONZERO, 139, None, "exit code 139"),
        (facts(signal.SIGRTMIN + 1), EndReason.EXIT_NONZERO, None, 35, "killed by signal 35"),
        (facts(9, killed=EndReason.TIMEOUT), EndReason.TIMEOUT, None, 9, "ran longer than 2.5 s"),
        (facts(9, killed=EndReason.CANCELLED), EndReason.CANCELLED, None, 9, "killed: cancelled"),
        (facts(0, killed=EndReason.CANCELLED), EndReason.CANCELLED, None, None, "killed: cancelled"),
    ],
)
def test_an_end_is_named(given, reason, code, number, message):
    verdict = judge(given)
    assert (verdict.reason, verdict.exit_code, verdict.signal, verdict.message) == (
        reason,
        code,
        number,
        message,
    )


@pytest.mark.parametrize(
    ("given", "out_of_memory"),
    [
        (facts(9, oom_kills=1), True),
        (facts(exited(1), oom_kills=1), True),
        (facts(0, oom_kills=1), False),
        (facts(9, oom_kills=0, peak=95), True),
        (facts(9, oom_kills=0, peak=50), False),
        (facts(exited(1), oom_kills=0, peak=95), False),
        (facts(exited(1), peak=95), True),
        (facts(exited(1), peak=20, last_line="MemoryError"), True),
        (facts(exited(1), peak=20, last_line="ValueError"), False),
    ],
)
def test_want_of_memory_is_told_from_other_ends(given, out_of_memory):
    verdict = judge(given)
    assert (verdict.reason is EndReason.OUT_OF_MEMORY) is out_of_memory
    if out_of_memory:
        assert "100 MiB" in verdict.message
