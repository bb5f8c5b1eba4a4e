"""One pull of one image: the call to the daemon, its progress, and what its failures mean.

The calls are made by hand since the SDK's own wait without end, and since without a login it would use the one in the
home folder of the worker's user: a user's image is fetched with that user's rights or none.
"""

import json
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import docker
import requests
import structlog
from docker.auth import encode_header

from gridloom.errors import AttemptFailed, LeaseLost, RunnerFailed
from gridloom.states import EndReason
from gridloom.wire import ImageLogin
from worker.runners.docker.daemon import Engine, engine_of
from worker.runners.docker.references import Reference

log = structlog.get_logger(__name__)

SILENCE_S = 120.0  #: a registry that sends nothing for so long is given up
LONGEST_S = 3600.0  #: one that trickles is given up as well, since few pulls run at once
_REPORT_EVERY_S = 5.0
_MIB = 1024 * 1024

# What daemons of several versions pass on of a registry's 401, 403 and 404; they give no status of their own.
_REFUSED = re.compile(
    "unauthorized|denied|forbidden|no basic auth credentials|authentication required|login attempt"
    "|(manifest|name|blob) unknown|not found|not known|does not exist|no matching manifest",
    re.IGNORECASE,
)
_NO_SPACE = "no space left on device"


def pull(
    client: docker.APIClient, image: Reference, login: ImageLogin | None, go_on: Callable[[], bool]
) -> None:
    """Pull an image, for as long as `go_on` says so.

    Raises:
        AttemptFailed: when the registry refuses it or doesn't know it (image_unavailable), or the disk is full.
        RunnerFailed: when registry or daemon can't be reached or break off.
        LeaseLost: when `go_on` said no; the daemon leaves off as well.
    """
    with _connection(image, login):
        response = client.post(
            f"{client.base_url}/v{client.api_version}/images/create",
            params={"fromImage": image.repository, "tag": image.digest or image.tag},
            headers=_authorization(login),
            stream=True,
            timeout=SILENCE_S,
        )
        with response:
            _follow(response, image, login, go_on)


def confirm(client: docker.APIClient, image: Reference, login: ImageLogin | None) -> None:
    """Have the registry itself say that it would hand out an image at its digest with this login.

    Docker asks no registry for what it has by digest, so a pull that succeeds says nothing about rights. Podman, which
    lacks this call, asks at every pull.

    Raises:
        AttemptFailed: when the registry refuses or doesn't know the image (image_unavailable).
        RunnerFailed: when registry or daemon can't be reached.
    """
    if engine_of(client) is Engine.PODMAN:
        return
    with _connection(image, login):
        response = client.get(
            f"{client.base_url}/v{client.api_version}/distribution/{image.name}/json",
            headers=_authorization(login),
            timeout=SILENCE_S,
        )
        if response.status_code >= 400:
            raise _failure(image, login, _message(response))


def _authorization(login: ImageLogin | None) -> dict[str, str]:
    auth = {} if login is None else {"username": login.username, "password": login.token}
    return {"X-Registry-Auth": encode_header(auth).decode()}


@contextmanager
def _connection(image: Reference, login: ImageLogin | None) -> Iterator[None]:
    what = f"image {image.name} can't be pulled now"
    try:
        yield
    except requests.Timeout:
        raise RunnerFailed(f"{what}: nothing came for {SILENCE_S:.0f} s") from None
    except requests.RequestException as error:
        raise RunnerFailed(f"{what}: {_plain(str(error), login)}") from None


def _follow(
    response: requests.Response, image: Reference, login: ImageLogin | None, go_on: Callable[[], bool]
) -> None:
    if response.status_code >= 400:
        raise _failure(image, login, _message(response))
    progress = Progress(image)
    deadline = time.monotonic() + LONGEST_S
    for event in _events(response):
        if "error" in event:
            raise _failure(image, login, str(event["error"]))
        if not go_on():
            raise LeaseLost(f"image {image.name} is not wanted any more")
        if time.monotonic() > deadline:
            raise RunnerFailed(f"image {image.name} was not pulled within {LONGEST_S:.0f} s")
        progress.take(event)


class Progress:
    """Adds up the bytes of an image's layers and logs them every few seconds."""

    def __init__(self, image: Reference, now: Callable[[], float] = time.monotonic) -> None:
        self._image, self._now = image, now
        self._layers: dict[str, tuple[int, int]] = {}
        self._next = now() + _REPORT_EVERY_S

    def take(self, event: dict[str, Any]) -> None:
        """Take one event of the daemon."""
        layer, detail = event.get("id"), event.get("progressDetail") or {}
        if layer is not None and event.get("status") == "Downloading" and detail.get("total"):
            self._layers[layer] = (detail.get("current", 0), detail["total"])
        if layer in self._layers and event.get("status") in {"Download complete", "Pull complete"}:
            self._layers[layer] = (self._layers[layer][1],) * 2
        if self._now() >= self._next:
            self._next = self._now() + _REPORT_EVERY_S
            got, total = (
                (sum(it) for it in zip(*self._layers.values(), strict=True)) if self._layers else (0, 0)
            )
            log.info(
                "image_pulling",
                image=self._image.name,
                layers=len(self._layers),
                got_mib=round(got / _MIB, 1),
                known_mib=round(total / _MIB, 1),
            )


def _events(response: requests.Response) -> Iterator[dict[str, Any]]:
    for line in response.iter_lines():
        if line:
            yield json.loads(line)


def _message(response: requests.Response) -> str:
    try:
        return str(response.json()["message"])
    except (ValueError, KeyError, TypeError):
        return f"the daemon answers with status {response.status_code}"


def _failure(image: Reference, login: ImageLogin | None, message: str) -> AttemptFailed:
    if _NO_SPACE in message:
        return AttemptFailed(EndReason.DISK_FULL, f"image {image.name} doesn't fit on this machine's disk")
    if _REFUSED.search(message) is None:
        return RunnerFailed(f"image {image.name} can't be pulled now: {_plain(message, login)}")
    who = "without a login" if login is None else "with the login of its manifest"
    return AttemptFailed(
        EndReason.IMAGE_UNAVAILABLE,
        f"image {image.name} can't be had: registry {image.registry} refuses it or doesn't know it, asked {who}",
    )


def _plain(message: str, login: ImageLogin | None) -> str:
    """Return a message without what a registry's or token server's URL may carry of a login."""
    message = re.sub(r"\?[^\s\"']*", "", message)
    for secret in () if login is None else (login.token, login.username):
        message = message.replace(secret, "…") if secret else message
    return message
