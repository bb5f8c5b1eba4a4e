"""The process behind `gridloom up`: prepares the data folder, then supervises the fabric's processes.

Reads its options from GRIDLOOM_* variables, as its children do, and loads little, since it lives as long as they.
"""

import json
import os
import re
import socket
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import dataclass
from pathlib import Path

from cli.data_dir import prepare, secrets
from cli.master_key import master_key_file
from cli.supervisor import ChildSpec, Supervisor
from cli.valkey import remove_socket_folder, valkey_spec
from gridloom.errors import SetupFailed
from gridloom.local_fabric import CREDENTIALS, default_dir, refresh_url, remember
from gridloom.net_guard import check_bind

_WORKER_GRACE_S = 1.2  #: on top of the time that it lets tasks finish
_SCHEDULER_GRACE_S = 0.7
_API_GRACE_S = 0.8
_PORT_PATIENCE_S = 1.5  #: a killed predecessor may hold the port for a moment
_RUNNER = re.compile(r"\bevent=worker_ready\b.*\brunner=(\S+)")
_TLS = ("GRIDLOOM_TLS_CERT", "GRIDLOOM_TLS_KEY")
_TRUE = ("1", "true", "yes", "on", "t", "y")
_MASTER_KEYS = ("GRIDLOOM_MASTER_KEY", "GRIDLOOM_MASTER_KEY_FILE")
_SIGN_IN = (
    "GRIDLOOM_ACCESS_CODE",
    "GRIDLOOM_SMTP_URL",
    "GRIDLOOM_OIDC_ISSUER",
    "GRIDLOOM_OIDC_CLIENT_ID",
    "GRIDLOOM_OIDC_CLIENT_SECRET",
)
_API_ALONE = (*_MASTER_KEYS, *_SIGN_IN)
_STORE_KEYS = ("GRIDLOOM_STORE_ACCESS_KEY", "GRIDLOOM_STORE_SECRET_KEY")
_SECRET = (
    "GRIDLOOM_SECRET_KEY",
    "GRIDLOOM_JOIN_TOKEN",
    "GRIDLOOM_DATABASE_URL",
    *_STORE_KEYS,
    *_API_ALONE,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where this fabric is: its folder and its address."""

    data_dir: Path
    host: str
    port: int
    tls: bool = False
    named_url: str = ""  #: the operator's word for it, such as one with the certificate's name

    @property
    def near_host(self) -> str:
        """The address under which this machine reaches it."""
        return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(self.host, self.host)

    @property
    def url(self) -> str:
        """The URL under which this machine reaches it."""
        host = f"[{self.near_host}]" if ":" in self.near_host else self.near_host
        return self.named_url or f"{'https' if self.tls else 'http'}://{host}:{self.port}"


class Console:
    """Prints children's lines on standard error and notes which runner the worker announces."""

    def __init__(self) -> None:
        self.runner = ""

    def emit(self, name: str, line: str) -> None:
        """Print one line of a child."""
        if name == "worker" and (found := _RUNNER.search(line)):
            self.runner = found[1]
        with suppress(OSError):  # nobody reads any more; the fabric goes on
            sys.stderr.write(f"[{name}] {line}\n")
            sys.stderr.flush()


def main() -> int:
    """Run the fabric until a stop signal; return the exit status."""
    try:
        return _serve(as_json="--json" in sys.argv[1:], noted="--no-remember" not in sys.argv[1:])
    except SetupFailed as error:
        sys.stderr.write(f"error: {error.message}\n")
        return 1


def _serve(*, as_json: bool, noted: bool) -> int:
    folder = default_dir().absolute()
    host, port = os.environ.get("GRIDLOOM_HOST", "127.0.0.1"), int(os.environ.get("GRIDLOOM_PORT", "8080"))
    tls = all(os.environ.get(name) for name in _TLS)
    check_bind(host, tls=tls, behind_proxy=os.environ.get("GRIDLOOM_BEHIND_PROXY", "").lower() in _TRUE)
    lock = prepare(folder)
    place = Place(
        data_dir=folder,
        host=host,
        port=usable_port(host, port),
        tls=tls,
        named_url=os.environ.get("GRIDLOOM_CONTROL_URL", "").rstrip("/"),
    )
    console = Console()

    def announce() -> None:
        refresh_url(folder, place.url)
        if noted:
            remember(folder)
        _announce(place, console.runner, as_json=as_json)

    ended_well = Supervisor(specs(place, console), console.emit).run(announce)
    remove_socket_folder(folder)
    lock.close()
    return 0 if ended_well else 1


def specs(place: Place, console: Console) -> list[ChildSpec]:
    """Return the fabric's processes in the order of their start; GRIDLOOM_BROKER_URL replaces the embedded broker."""
    folder = place.data_dir
    known = secrets(folder)
    given = {name: os.environ.pop(name) for name in _SECRET if os.environ.get(name)}
    children = []
    broker_url = os.environ.get("GRIDLOOM_BROKER_URL", "")
    if not broker_url:
        valkey, broker_url = valkey_spec(folder, stop_order=3)
        children.append(valkey)
    shared = {
        "GRIDLOOM_HOST": place.host,
        "GRIDLOOM_PORT": str(place.port),
        "GRIDLOOM_CONTROL_URL": place.url,
        "GRIDLOOM_BROKER_URL": broker_url,
        "GRIDLOOM_STORE_URL": os.environ.get("GRIDLOOM_STORE_URL") or f"file:{folder / 'objects'}",
        "GRIDLOOM_CLAMP_NEEDS": os.environ.get("GRIDLOOM_CLAMP_NEEDS", "true"),
        "GRIDLOOM_JOIN_TOKEN": given.get("GRIDLOOM_JOIN_TOKEN", known["join_token"]),
    }
    shared |= {name: given[name] for name in _STORE_KEYS if name in given}
    control = shared | {
        "GRIDLOOM_DATABASE_URL": given.get("GRIDLOOM_DATABASE_URL", f"sqlite:///{folder / 'gridloom.db'}"),
        "GRIDLOOM_SECRET_KEY": given.get("GRIDLOOM_SECRET_KEY", known["secret_key"]),
        "GRIDLOOM_BOOTSTRAP_FILE": str(folder / CREDENTIALS),
    }
    api_alone = {name: given[name] for name in _API_ALONE if name in given}
    if not any(name in given for name in _MASTER_KEYS):
        api_alone["GRIDLOOM_MASTER_KEY_FILE"] = str(master_key_file(folder))
    worker = shared | {
        "GRIDLOOM_SCRATCH_DIR": str(folder / "scratch"),
        "GRIDLOOM_SHARED_CACHE_DIR": str(folder / "cache/shared"),
        "GRIDLOOM_USER_CACHE_DIR": str(folder / "cache/users"),
    }
    for cache in ("cache/shared", "cache/users"):
        (folder / cache).mkdir(parents=True, exist_ok=True)
    drain_s = float(os.environ.get("GRIDLOOM_DRAIN_S", "5"))
    return [
        *children,
        _part("api", control | api_alone, 2, _API_GRACE_S, ready=answers_ready(place)),
        _part("scheduler", control, 1, _SCHEDULER_GRACE_S),
        _part("worker", worker, 0, drain_s + _WORKER_GRACE_S, ready=lambda: bool(console.runner)),
    ]


def usable_port(host: str, port: int) -> int:
    """Return `port` when it can be bound, a free one when it is 0.

    Raises:
        SetupFailed: when it can't be.
    """
    deadline = time.monotonic() + _PORT_PATIENCE_S
    while True:
        try:
            family, kind, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
            with socket.socket(family, kind) as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                probe.bind(address)
                return int(probe.getsockname()[1])
        except OSError as error:
            if time.monotonic() > deadline or not port:
                reason = error.strerror or error
                raise SetupFailed(f"can't listen on {host}, port {port}: {reason}") from None
        time.sleep(0.05)


def answers_ready(place: Place) -> Callable[[], bool]:
    """Return a check that tells whether the control plane says it is ready."""
    host = place.near_host
    request = f"GET /readyz HTTP/1.0\r\nHost: {host}\r\n\r\n".encode()
    wrapped = _unverified() if place.tls else _as_it_is

    def check() -> bool:
        try:
            with (
                socket.create_connection((host, place.port), timeout=1) as link,
                wrapped(link) as channel,
            ):
                channel.sendall(request)
                return b" 200 " in channel.recv(32)
        except OSError:
            return False

    return check


def _as_it_is(link: socket.socket) -> AbstractContextManager[socket.socket]:
    return nullcontext(link)


def _unverified() -> Callable[[socket.socket], AbstractContextManager[socket.socket]]:
    """Return what speaks TLS over a link: to this machine, whose certificate is for another name."""
    import ssl

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context.wrap_socket


def _part(
    package: str,
    env: Mapping[str, str],
    stop_order: int,
    grace_s: float,
    *,
    ready: Callable[[], bool] | None = None,
) -> ChildSpec:
    argv = [sys.executable, "-P", "-m", package]
    return ChildSpec(
        name=package, argv=argv, env=env, stop_order=stop_order, grace_s=grace_s, wave=1, ready=ready
    )


def _announce(place: Place, runner: str, *, as_json: bool) -> None:
    credentials = str(place.data_dir / CREDENTIALS)
    if as_json:
        found = {"url": place.url, "credentials": credentials, "runner": runner, "pid": os.getpid()}
        text = json.dumps(found)
    else:
        text = (
            f"Gridloom is ready on {place.url}\ncredentials: {credentials}\nrunner: {runner}\nCtrl-C stops it"
        )
    with suppress(OSError):
        sys.stdout.write(f"{text}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
