"""How a run ended, told from what the agent, the clock and the cgroup saw."""

import os
import signal
from dataclasses import dataclass

from gridloom.states import EndReason
from worker.runners.agent_link import Reply
from worker.runners.protocol import Limits

NEAR_LIMIT = 0.9


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What is known at the end of a run.

    `killed` is the reason of a kill of ours, `oom_kills` counts what the cgroup killed meanwhile (None without one).
    """

    reply: Reply
    limits: Limits
    killed: EndReason | None
    oom_kills: int | None
    last_line: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """The part of `Ended` that needs judgement."""

    reason: EndReason | None
    exit_code: int | None
    signal: int | None
    message: str


def judge(facts: Facts) -> Verdict:
    """Return how the run ended."""
    exit_code, signal_number = _ending(facts)
    if facts.killed is not None:
        return Verdict(
            reason=facts.killed,
            exit_code=None,
            signal=signal_number,
            message=_why_killed(facts.killed, facts.limits),
        )
    if exit_code == 0:
        return Verdict(reason=None, exit_code=0, signal=None, message="")
    reason, message = EndReason.EXIT_NONZERO, _what_happened(exit_code, signal_number)
    if _out_of_memory(facts, signal_number):
        reason = EndReason.OUT_OF_MEMORY
        message = f"ran out of its {facts.limits.memory_mib} MiB of memory ({message})"
    elif facts.last_line:
        message = f"{message}: {facts.last_line}"
    return Verdict(reason=reason, exit_code=exit_code, signal=signal_number, message=message)


def _ending(facts: Facts) -> tuple[int | None, int | None]:
    """Return exit code and signal, one of them None."""
    code = os.waitstatus_to_exitcode(facts.reply.status)
    return (None, -code) if code < 0 else (code, None)


def _what_happened(exit_code: int | None, signal_number: int | None) -> str:
    if signal_number is None:
        return f"exit code {exit_code}"
    try:
        name = signal.Signals(signal_number).name
    except ValueError:
        name = str(signal_number)
    return f"killed by signal {name}"


def _why_killed(reason: EndReason, limits: Limits) -> str:
    if reason is EndReason.TIMEOUT and limits.timeout_s is not None:
        return f"ran longer than {limits.timeout_s:g} s"
    return f"killed: {reason.value.replace('_', ' ')}"


def _out_of_memory(facts: Facts, signal_number: int | None) -> bool:
    near = facts.reply.peak_memory_mib >= NEAR_LIMIT * facts.limits.memory_mib
    if facts.oom_kills is not None:
        return facts.oom_kills > 0 or (signal_number == signal.SIGKILL and near)
    return near or facts.last_line.startswith("MemoryError")
