"""What a warm slot is compared with: a bare fork server, a bare subprocess and `docker run`, on the same errand."""

import os
import shutil
import socket
import subprocess
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from itertools import count
from pathlib import Path

import docker

from benchmarks.errand import Errand, clear
from worker.runners.interpreters import base_python

_SERVER = """
import gc, importlib, os, socket, sys, traceback

link = socket.socket(fileno=int(sys.argv[1]))
for name in sys.argv[2:]:
    importlib.import_module(name)
gc.collect()
gc.freeze()
link.send(b"ready")
while True:
    message, fds, _, _ = socket.recv_fds(link, 65536, 1)
    if not message:
        break
    script, *variables = message.decode().split("\\0")
    child = os.fork()
    if child == 0:
        status = 0
        try:
            os.dup2(fds[0], 1)
            os.dup2(fds[0], 2)
            os.environ.update(it.split("=", 1) for it in variables)
            with open(script, "rb") as file:
                exec(compile(file.read(), script, "exec"), {"__name__": "__main__", "__file__": script})
        except BaseException:
            traceback.print_exc()
            status = 1
        sys.stdout.flush()
        os._exit(status)
    os.close(fds[0])
    link.send(b"%d" % os.waitpid(child, 0)[1])
"""


class Rival(ABC):
    """Runs an errand, each time in a new folder."""

    def __init__(self, errand: Errand, folder: Path) -> None:
        self._errand, self._folder, self._numbers = errand, folder, count()

    def run_s(self) -> float:
        """Return the seconds from before the chunk is written until the result is read."""
        folder = self._folder / str(next(self._numbers))
        began = time.perf_counter()
        printed = self._run(self._errand.begin(folder))
        self._errand.end(folder, printed)
        took_s = time.perf_counter() - began
        clear(folder)
        return took_s

    def close(self) -> None:  # noqa: B027 - most are served by nothing
        """End what serves it."""

    @abstractmethod
    def _run(self, env: Mapping[str, str]) -> bytes:
        """Run the script once; return what it printed."""


class ForkServer(Rival):
    """The floor: a bare Python on the host that forks for each script; nothing isolates, limits or watches it."""

    def __init__(
        self,
        errand: Errand,
        folder: Path,
        *,
        imports: Sequence[str] = (),
        env: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(errand, folder)
        self._link, other = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with other:
            command = [base_python(), "-c", _SERVER, str(other.fileno()), *imports]
            self._server = subprocess.Popen(command, env=dict(env or {}), pass_fds=[other.fileno()])
        self._link.recv(16)

    def close(self) -> None:
        """End the server."""
        self._link.close()
        self._server.wait()

    def _run(self, env: Mapping[str, str]) -> bytes:
        message = "\0".join([str(self._errand.script), *(f"{name}={value}" for name, value in env.items())])
        read_fd, write_fd = os.pipe()
        socket.send_fds(self._link, [message.encode()], [write_fd])
        os.close(write_fd)
        with os.fdopen(read_fd, "rb") as pipe:
            printed = pipe.read()
        self._link.recv(16)
        return printed


class BareSubprocess(Rival):
    """A new process on the host, of the script's own interpreter."""

    def __init__(self, errand: Errand, folder: Path, *, env: Mapping[str, str] | None = None) -> None:
        super().__init__(errand, folder)
        self._env = dict(env or {})

    def _run(self, env: Mapping[str, str]) -> bytes:
        script = self._errand.script
        command = [base_python() if script.suffix == ".py" else "sh", str(script)]
        return subprocess.run(command, env={**self._env, **env}, capture_output=True, check=True).stdout


class DockerRun(Rival):
    """`docker run --rm` without a network: the command, or where that is missing the SDK's."""

    def __init__(self, errand: Errand, folder: Path, *, client: docker.DockerClient, image: str) -> None:
        super().__init__(errand, folder)
        self._client, self._image = client, image
        cli = shutil.which("docker")
        self.name = "docker run --rm" if cli else "containers.run(remove=True)"
        self._run_it: Callable[[Mapping[str, str]], bytes] = self._by_sdk if cli is None else self._by_cli

    def _run(self, env: Mapping[str, str]) -> bytes:
        return self._run_it(env)

    def _by_cli(self, env: Mapping[str, str]) -> bytes:
        command = ["docker", "run", "--rm", "--network", "none"]
        command += ["--volume", f"{self._folder}:{self._folder}"]
        command += ["--volume", f"{self._errand.folder}:{self._errand.folder}:ro"]
        command += [f"--env={name}={value}" for name, value in env.items()]
        command += [self._image, "python3", str(self._errand.script)]
        return subprocess.run(command, capture_output=True, check=True).stdout

    def _by_sdk(self, env: Mapping[str, str]) -> bytes:
        return bytes(
            self._client.containers.run(
                self._image,
                ["python3", str(self._errand.script)],
                environment=dict(env),
                network_mode="none",
                remove=True,
                volumes=[f"{self._folder}:{self._folder}", f"{self._errand.folder}:{self._errand.folder}:ro"],
            )
        )
