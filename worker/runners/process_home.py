"""A home that is a process of this machine: an agent and all below it, in a cgroup where there is one."""

import contextlib
import os
import signal
import socket
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

import structlog

from gridloom.errors import RunnerFailed
from worker.collect import remove_tree
from worker.runners.agent_link import HELLO_S, AgentLink
from worker.runners.cgroups import Cgroup
from worker.runners.protocol import Limits
from worker.runners.rlimits import Rlimits, rlimits_for, threads_of

log = structlog.get_logger(__name__)

EXIT_PATIENCE_S = 5.0
SAID_BYTES = 1 << 14
#: What a sandbox around the agent, its spare, and a first page of everything take of a slot's cgroup.
OWN_MIB = 8
OWN_PROCESSES = 6
PAGE_MIB = os.sysconf("SC_PAGE_SIZE") / (1 << 20)


class ProcessHome:
    """One agent's process and its cgroup.

    `uid` is the user that scripts run as: where no cgroup counts its processes, that user's are counted.
    """

    def __init__(
        self, process: "subprocess.Popen[bytes]", folder: Path, cgroup: Cgroup | None, uid: int
    ) -> None:
        self.folder = folder
        self.agent_pid = process.pid
        self._process, self._cgroup = process, cgroup
        self._own_mib = 0.0
        self._others = None
        if cgroup is None or not cgroup.bounds_processes:
            self._others = threads_of(uid)

    def memory_mib(self) -> float:
        """Return what the agent occupies; 0 when it is not alive any more."""
        if self._process.poll() is not None:
            return 0.0
        try:
            self._own_mib = int(Path(f"/proc/{self.agent_pid}/statm").read_text().split()[1]) * PAGE_MIB
        except (FileNotFoundError, ProcessLookupError):
            return 0.0
        return self._own_mib

    def bound(self, limits: Limits) -> Rlimits:
        """Set the cgroup's bounds, the agent's own memory on top; return what resource limits must do."""
        if self._cgroup is not None:
            own_mib = OWN_MIB + round(self._own_mib or self.memory_mib())
            self._cgroup.limit(limits.memory_mib + own_mib, limits.processes + OWN_PROCESSES)
        return rlimits_for(limits, memory_by_cgroup=self._cgroup is not None, others=self._others)

    def oom_kills(self) -> int | None:
        """Return how many processes the kernel has killed in the cgroup for want of memory."""
        return None if self._cgroup is None else self._cgroup.oom_kills()

    def network_bytes(self) -> tuple[int, int] | None:
        """Return None: there is no network of its own to count."""
        return None

    def kill(self) -> None:
        """Kill everything in the cgroup, or the sandbox's first process, whose end is everybody's."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.agent_pid, signal.SIGKILL)
        self._kill_members()

    def destroy(self) -> None:
        """Wait for the agent's exit, kill what is left, remove cgroup and folder; idempotent."""
        try:
            self._process.wait(EXIT_PATIENCE_S)
        except subprocess.TimeoutExpired:
            self.kill()
            self._process.kill()
            self._process.wait()
        if self._cgroup is not None:
            self._kill_members()
            self._cgroup.remove()
            self._cgroup = None
        remove_tree(self.folder)

    def _kill_members(self) -> None:
        for pid in () if self._cgroup is None else self._cgroup.members():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


class Startup:
    """Starts an agent's process, and tells why it ended if it does before it says hello."""

    def __init__(self, command: Sequence[str], *, env: Mapping[str, str], fds: Sequence[int]) -> None:
        """Start it.

        Raises:
            RunnerFailed: when it can't be started.
        """
        self._said = os.memfd_create("agent-says", os.MFD_CLOEXEC)
        try:
            # A session of its own: Ctrl-C on the terminal is for the worker, which then ends its slots.
            self.process = subprocess.Popen(
                command,
                env=dict(env),
                pass_fds=fds,
                cwd="/",
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=self._said,
                start_new_session=True,
            )
        except OSError as error:
            self.close()
            raise RunnerFailed(f"the agent can't be started: {error}") from error

    def trouble(self) -> str:
        """Return why the agent won't come, "" while it may."""
        code = self.process.poll()
        if code is None:
            return ""
        lines = os.pread(self._said, SAID_BYTES, 0).decode("utf-8", "replace").strip().splitlines()
        return f"the agent ended with code {code}" + (f": {lines[-1]}" if lines else "")

    def close(self) -> None:
        """Stop listening to what it says."""
        os.close(self._said)


def greet(
    ours: socket.socket, startup: Startup, home: ProcessHome, *, joins: Cgroup | None = None
) -> AgentLink:
    """Return the link to an agent that was just started, once it has said hello; end its home if it does not.

    It is moved into the cgroup that it `joins` before it has children.

    Raises:
        RunnerFailed: when it does not, or the kernel refuses the move.
    """
    try:
        if joins is not None:
            join(joins, startup.process.pid)
        return AgentLink.greeted(ours, startup.process.pid, HELLO_S, startup.trouble)
    except BaseException:
        ours.close()
        home.kill()
        home.destroy()
        raise
    finally:
        startup.close()


def join(cgroup: Cgroup, pid: int) -> None:
    """Move an agent into its slot's cgroup.

    Raises:
        RunnerFailed: when the kernel refuses.
    """
    try:
        cgroup.add(pid)
    except OSError as error:
        raise RunnerFailed(f"the slot's agent can't be moved into its cgroup: {error}") from error
