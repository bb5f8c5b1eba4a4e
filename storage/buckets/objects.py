"""What a bucket holds, as far as it tells."""

from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

Progress = Callable[[int], None]  #: takes the bytes moved since the last call, may raise to stop


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectInfo:
    """An object of a bucket; `size` in bytes, `etag` without quotes."""

    key: str
    size: int
    etag: str
    modified_at: datetime | None = None
    content_type: str = ""
    metadata: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class FolderPage:
    """One page of a folder's entries; `after` is where the next page begins, "" at the end."""

    folders: tuple[str, ...]
    objects: tuple[ObjectInfo, ...]
    after: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Label:
    """What is said of an object when it is stored."""

    content_type: str = ""
    metadata: Mapping[str, str] = field(default_factory=dict)

    def params(self) -> dict[str, Any]:
        """Return what boto3's calls that store an object take."""
        params: dict[str, Any] = {"Metadata": dict(self.metadata)} if self.metadata else {}
        return params | ({"ContentType": self.content_type} if self.content_type else {})


def no_progress(_count: int) -> None:
    """Take no notice of bytes that moved."""


Block = bytes | memoryview


@dataclass(frozen=True, slots=True, kw_only=True)
class Body:
    """An answer's body: `size` bytes come in `blocks`, which raise BodyBroken when they end early."""

    etag: str
    size: int
    blocks: Generator[Block, None, None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """What a put came to; `checked` tells that the server compared a digest of its own with ours."""

    etag: str
    checked: bool
