"""The container daemon: how it is reached, what it is, and what its errors mean.

Podman answers the same calls on its own socket. Every call is bounded in time, since a daemon that hangs must cost an
attempt, never a worker.
"""

import os
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import StrEnum

import docker
import requests
from docker.errors import APIError, DockerException

from gridloom.errors import RunnerFailed

DEFAULT_URL = "unix:///var/run/docker.sock"
TIMEOUT_S = 30.0

Opener = Callable[
    [], docker.APIClient
]  #: opens a client of the caller's own; clients are not shared by threads


class Engine(StrEnum):
    """Which program answers."""

    DOCKER = "docker"
    PODMAN = "podman"


def open_client(url: str = "") -> docker.APIClient:
    """Open a client; without a URL the daemon is found as Docker's own command finds it, by DOCKER_HOST.

    Raises:
        RunnerFailed: when no daemon answers.
    """
    url = url or os.environ.get("DOCKER_HOST") or DEFAULT_URL
    _knock(url)
    with daemon_errors(f"no container daemon answers at {url}"):
        return docker.APIClient(url, timeout=TIMEOUT_S)


@contextmanager
def daemon_errors(what: str) -> Iterator[None]:
    """Turn errors of daemon and connection within the block into RunnerFailed: "`what`: why"."""
    try:
        yield
    except APIError as error:
        raise RunnerFailed(f"{what}: {error.explanation or error}") from None
    except (DockerException, requests.RequestException) as error:
        raise RunnerFailed(f"{what}: {error}") from error


def engine_of(client: docker.APIClient) -> Engine:
    """Tell whether a daemon is Docker or Podman.

    Raises:
        RunnerFailed: when it gives no answer.
    """
    with daemon_errors("the container daemon doesn't say its version"):
        components = client.version().get("Components") or ()
    is_podman = any("podman" in component["Name"].lower() for component in components)
    return Engine.PODMAN if is_podman else Engine.DOCKER


def _knock(url: str) -> None:
    """Find out by ourselves whether a socket is listened on: the SDK hides why not, and leaves its own open."""
    scheme, _, path = url.partition("://")
    if scheme != "unix":
        return
    with socket.socket(socket.AF_UNIX) as link:
        link.settimeout(TIMEOUT_S)
        try:
            link.connect(path)
        except OSError as error:
            raise RunnerFailed(f"no container daemon answers at {url}: {error.strerror or error}") from error
