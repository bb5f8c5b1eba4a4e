"""What the daemon has of images: found by name or id, marked as private, removed name by name."""

import shutil
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import docker
import structlog
from docker.errors import APIError, ImageNotFound, NotFound

from worker.runners.docker.daemon import daemon_errors
from worker.runners.docker.image_book import PRIVATE
from worker.runners.docker.references import Reference, repository_of

log = structlog.get_logger(__name__)

_MIB = 1024 * 1024
_CONFLICT = 409
_MARKS = {f"docker.io/library/{PRIVATE}", f"localhost/{PRIVATE}"}  #: as Docker and Podman spell it out


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """An image that is here: the id to run it by, the environment that it sets, its size, the names it goes by."""

    id: str
    env: Mapping[str, str]
    size_mib: float
    names: tuple[str, ...] = ()

    @property
    def is_private(self) -> bool:
        """Whether it came with somebody's login."""
        return any(_is_mark(name) for name in self.names)

    @property
    def repositories(self) -> frozenset[str]:
        """Where it came from, in full."""
        return frozenset(map(repository_of, self.names)) - {""}

    def digest_as(self, asked: Reference) -> str:
        """Return the digest that its repository knows it by; for one without, its id."""
        if asked.digest:
            return asked.digest
        known = sorted(
            name.rpartition("@")[2]
            for name in self.names
            if "@" in name and repository_of(name) == asked.repository
        )
        return known[0] if known else self.id


def find(client: docker.APIClient, image: Reference) -> Image | None:
    """Return an image by tag, by its repository's digest, or by the id that may stand in a digest's place.

    Raises:
        RunnerFailed: when the daemon gives no answer.
    """
    for name in (image.name, image.digest):
        if name and (found := _inspect(client, name)) is not None:
            return found
    return None


def repositories_by_id(client: docker.APIClient) -> dict[str, frozenset[str]]:
    """Return the repositories of every image here, by image id.

    Raises:
        RunnerFailed: when the daemon gives no answer.
    """
    with daemon_errors("the container daemon doesn't list its images"):
        listed = client.images()
    return {
        it["Id"]: frozenset(map(repository_of, [*(it["RepoTags"] or ()), *(it["RepoDigests"] or ())])) - {""}
        for it in listed
    }


def mark_private(client: docker.APIClient, image_id: str) -> None:
    """Give an image the name that says that it came with a login.

    Raises:
        RunnerFailed: when the daemon doesn't.
    """
    with daemon_errors(f"image {image_id} can't be marked as private"):
        client.tag(image_id, PRIVATE, _hex(image_id))


def mark_public(client: docker.APIClient, image: Image) -> None:
    """Take that name away, since the image can be had without a login.

    Raises:
        RunnerFailed: when the daemon doesn't.
    """
    for name in filter(_is_mark, image.names):
        remove_name(client, name)


def remove_name(client: docker.APIClient, name: str) -> None:
    """Remove one name of an image, and with the last one the image.

    Raises:
        RunnerFailed: when the daemon doesn't.
    """
    with daemon_errors(f"image {name} can't be removed"), suppress(ImageNotFound):
        client.remove_image(name)


def remove(client: docker.APIClient, image_id: str, ours: frozenset[str]) -> bool:
    """Remove an image that has no other names than `ours`; tell whether it is gone.

    Raises:
        RunnerFailed: when the daemon gives no answer.
    """
    image = _inspect(client, image_id)
    if image is None:
        return True
    tags = [name for name in image.names if "@" not in name and not _is_mark(name)]
    if any(Reference.parse(name).name not in ours for name in tags):
        return False
    # The mark goes last: what remains when a container still needs the image must stay private.
    for name in sorted(image.names, key=_is_mark):
        with daemon_errors(f"image {name} can't be removed"):
            try:
                client.remove_image(name)
            except NotFound:
                continue
            except APIError as error:
                if error.status_code != _CONFLICT:
                    raise
                log.info("image_not_evicted", image=name, reason=error.explanation)
                return False
    return _inspect(client, image_id) is None


def disk_used_percent(client: docker.APIClient) -> float:
    """Return how full the disk with the daemon's files is; 0 where it can't be seen from here.

    Raises:
        RunnerFailed: when the daemon gives no answer.
    """
    with daemon_errors("the container daemon doesn't say where its files are"):
        root = Path(client.info().get("DockerRootDir") or "")
    try:
        usage = shutil.disk_usage(root)
    except OSError:
        return 0.0
    return 100.0 * (1 - usage.free / usage.total)


def _inspect(client: docker.APIClient, name: str) -> Image | None:
    with daemon_errors(f"the container daemon doesn't say whether it has image {name}"):
        try:
            facts = client.inspect_image(name)
        except ImageNotFound:
            return None
    config = facts.get("Config") or {}
    return Image(
        id=facts["Id"],
        env=dict(entry.partition("=")[::2] for entry in config.get("Env") or ()),
        size_mib=facts["Size"] / _MIB,
        names=(*(facts.get("RepoTags") or ()), *(facts.get("RepoDigests") or ())),
    )


def _is_mark(name: str) -> bool:
    # Under any other registry a user could have it put on what belongs to others.
    return repository_of(name) in _MARKS


def _hex(image_id: str) -> str:
    return image_id.rpartition(":")[2]
