"""Firewall rules that let what comes from one bridge reach public addresses alone.

They stand in the table `raw`, which every packet passes before anything else decides on it: both what is for the host
itself and what it forwards, and nothing of it is rewritten when a container daemon starts again.
"""

import fcntl
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from ipaddress import IPv4Address, ip_address
from pathlib import Path

import structlog

from gridloom.errors import RunnerFailed
from gridloom.net_guard import SPECIAL

log = structlog.get_logger(__name__)

Run = Callable[[Sequence[str], str], str]  #: runs a command with this input and returns its output
Resolvers = Callable[[], Sequence[IPv4Address]]

_TIMEOUT_S = 20
_WAIT = ("-w", "10")
_RESOLV_CONF = Path("/etc/resolv.conf")
_BEHIND_STUB = Path("/run/systemd/resolve/resolv.conf")
_LOCK = Path("/run/gridloom-egress.lock")
_IPV6 = Path("/proc/sys/net/ipv6")


def run(argv: Sequence[str], given: str = "") -> str:
    """Run a command of the system's with `given` as its input and return what it printed.

    Raises:
        RunnerFailed: when there is no such command or it fails.
    """
    path = shutil.which(argv[0], path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")
    if path is None:
        raise RunnerFailed(f"there is no {argv[0]}")
    try:
        done = subprocess.run(
            [path, *argv[1:]], input=given, capture_output=True, text=True, timeout=_TIMEOUT_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise RunnerFailed(f"{argv[0]}: {error}") from error
    if done.returncode != 0:
        lines = done.stderr.strip().splitlines() or [f"exit code {done.returncode}"]
        raise RunnerFailed(f"{argv[0]}: {lines[0]}")
    return done.stdout


def host_resolvers(conf: Path = _RESOLV_CONF, behind_stub: Path = _BEHIND_STUB) -> tuple[IPv4Address, ...]:
    """Return the name servers that Docker's own resolver asks from within a container's network.

    Docker passes on the host's; those on the loopback it asks from the host's side, save for systemd's stub, behind
    which it looks.
    """
    found = _name_servers(conf)
    if all(it.is_loopback for it in found):
        found = _name_servers(behind_stub)
    return tuple(it for it in found if not it.is_loopback)


def _name_servers(conf: Path) -> list[IPv4Address]:
    try:
        lines = conf.read_text().splitlines()
    except FileNotFoundError:
        return []
    words = [line.split() for line in lines]
    named = [it[1].partition("%")[0] for it in words if len(it) > 1 and it[0] == "nameserver"]
    return [it for it in map(ip_address, named) if isinstance(it, IPv4Address)]


def rules(resolvers: Sequence[IPv4Address]) -> list[str]:
    """Return the rules for what comes from the bridge, in their order: name servers, this host, what is not public."""
    asked = [f"-d {it}/32 -p {kind} --dport 53 -j RETURN" for it in resolvers for kind in ("udp", "tcp")]
    private = [f"-d {it} -j DROP" for it in SPECIAL if it.version == 4]
    return [*asked, "-m addrtype --dst-type LOCAL -j DROP", *private]


class Firewall:
    """The rules for one bridge of this machine; whoever else keeps rules for it keeps the same ones."""

    def __init__(
        self, bridge: str, resolvers: Resolvers = host_resolvers, run: Run = run, lock: Path = _LOCK
    ) -> None:
        self._bridge, self._resolvers, self._run, self._lock = bridge, resolvers, run, lock
        self.chain = f"EGRESS-{bridge}"
        self._standing: tuple[list[str], list[str]] | None = None

    def hold(self) -> None:
        """Set the rules, or see that they stand as they were set.

        Raises:
            RunnerFailed: when they can't be set.
        """
        wanted = rules(self._resolvers())
        if self._standing is not None and self._standing == (wanted, self._chain_now()):
            return
        if self._standing is not None:
            log.warning("egress_rules_were_gone", bridge=self._bridge)
        with self._alone():
            standing = self._set(wanted)
        self._standing = (wanted, standing)
        log.info("egress_rules_set", bridge=self._bridge, rules=len(wanted))

    def _set(self, wanted: Sequence[str]) -> list[str]:
        # One transaction replaces the whole chain: there is no moment without rules.
        lines = ["*raw", f":{self.chain} - [0:0]", *(f"-A {self.chain} {it}" for it in wanted), "COMMIT", ""]
        self._run(("iptables-restore", *_WAIT, "--noflush"), "\n".join(lines))
        self._once("iptables", "-j", self.chain)
        if _IPV6.exists():
            self._once("ip6tables", "-j", "DROP")
        standing = self._chain_now()
        if len([it for it in standing if it.startswith(f"-A {self.chain} ")]) != len(wanted):
            raise RunnerFailed("the rules that were set are not all there")
        return standing

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Keep other workers of this machine from setting the same rule at the same moment."""
        try:
            lock = os.open(self._lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise RunnerFailed(f"{self._lock}: {error.strerror}") from error
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield
        finally:
            os.close(lock)

    def _once(self, command: str, *target: str) -> None:
        rule = ("PREROUTING", "-i", self._bridge, *target)
        try:
            self._run((command, *_WAIT, "-t", "raw", "-C", *rule), "")
        except RunnerFailed:
            self._run((command, *_WAIT, "-t", "raw", "-I", *rule), "")

    def _chain_now(self) -> list[str]:
        """Return what stands of ours, as the system prints it."""
        lines = self._run(("iptables", *_WAIT, "-t", "raw", "-S"), "").splitlines()
        if _IPV6.exists():
            lines += self._run(("ip6tables", *_WAIT, "-t", "raw", "-S"), "").splitlines()
        jump = f"-A PREROUTING -i {self._bridge} "
        return [it for it in lines if it.startswith((f"-A {self.chain} ", jump))]
