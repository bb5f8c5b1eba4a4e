"""The names of images: registry, repository, tag and digest, spelled out in full as the daemon understands them.

The grammar is that of the `distribution/reference` library: a first part with a dot or a colon, or "localhost", is a
registry; everything else lies at Docker Hub.
"""

import re
from dataclasses import dataclass, replace

from gridloom.errors import AttemptFailed
from gridloom.states import EndReason

_HUB = "docker.io"
_PART = r"[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*"
_HOST = r"(?:[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?|\[[0-9A-Fa-f:]+\])(?::[0-9]+)?"
_REPOSITORY = re.compile(rf"(?:(?P<host>{_HOST})/)?(?P<path>{_PART}(?:/{_PART})*)")
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_LONGEST = 255


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """An image by its full name: of `tag` and `digest` at least one is set, and the digest counts."""

    repository: str
    tag: str = ""
    digest: str = ""

    @classmethod
    def parse(cls, text: str) -> "Reference":
        """Parse what a manifest or the daemon says; neither tag nor digest means the tag `latest`.

        Raises:
            AttemptFailed: when it is no name of an image (bad_component).
        """
        rest, _, digest = text.partition("@")
        head, colon, tag = rest.rpartition(":")
        if not colon or "/" in tag:
            head, tag = rest, ""
        repository = _full(head)
        if (
            repository is None
            or not _fits(_TAG, tag)
            or not _fits(_DIGEST, digest)
            or text.endswith(("@", ":"))
        ):
            raise AttemptFailed(EndReason.BAD_COMPONENT, f"{text[:_LONGEST]!r} is not the name of an image")
        return cls(repository=repository, tag=tag or ("" if digest else "latest"), digest=digest)

    @property
    def name(self) -> str:
        """What the daemon is asked for."""
        return f"{self.repository}@{self.digest}" if self.digest else f"{self.repository}:{self.tag}"

    @property
    def registry(self) -> str:
        """The host, with its port, that the image comes from."""
        return self.repository.partition("/")[0]

    def at(self, digest: str) -> "Reference":
        """Return this image at one digest."""
        return replace(self, digest=digest)


def repository_of(name: str) -> str:
    """Return the repository of a name that the daemon gave, "" for none (`<none>:<none>`)."""
    try:
        return Reference.parse(name).repository
    except AttemptFailed:
        return ""


def _fits(pattern: re.Pattern[str], text: str) -> bool:
    return not text or pattern.fullmatch(text) is not None


def _full(repository: str) -> str | None:
    host, slash, path = repository.partition("/")
    if not slash or not (set(".:") & {*host} or host == "localhost"):
        host, path = _HUB, repository
    if host in {_HUB, f"index.{_HUB}"}:
        host, path = _HUB, path if "/" in path else f"library/{path}"
    full = f"{host}/{path}"
    found = _REPOSITORY.fullmatch(full)
    return full if found is not None and found["host"] and len(full) <= _LONGEST else None
