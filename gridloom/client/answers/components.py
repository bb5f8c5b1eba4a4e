"""Answers of the developer API."""

from datetime import datetime
from typing import Any

from pydantic import Field

from gridloom.client.answers.base import Answer


class DeviceRequirements(Answer):
    """The least hardware: vCPUs, GB of memory, acceptable GPU models."""

    min_cpu: float = 0
    min_memory: float = 0
    gpu: tuple[str, ...] = ()


class Component(Answer):
    """What apps and engines have in common."""

    id: str = ""
    name: str = ""
    version: str = ""
    owner: str = ""
    user_name: str = ""
    status: str = ""
    description: str = ""
    platform: str = ""
    entrypoint: str = ""
    device_requirements: DeviceRequirements = DeviceRequirements()
    platform_config: dict[str, Any] = Field({})
    is_public: bool = False
    hash: str = ""
    link: str = ""
    revision: int = 0
    created_at: datetime | None = None
    updated_at: datetime | None = None

    @property
    def tag(self) -> str:
        """The name that templates and jobs call this version by."""
        return f"{self.name}@{self.version}"


class App(Component):
    """The code that runs on every chunk."""


class Engine(Component):
    """A partitioner or an assembler."""

    type: str = ""


class Template(Answer):
    """An app with its engines and defaults."""

    id: str = ""
    description: str = ""
    app: str = ""
    partitioner: str = ""
    assembler: str = ""
    data_source: dict[str, Any] | None = None
    data_destination: dict[str, Any] | None = None
    params: dict[str, Any] = Field({})
    config: dict[str, Any] = Field({})
    is_public: bool = False
    owner: str = ""
    user_name: str = ""
    created_at: datetime | None = None
    updated_at: datetime | None = None


class CacheEntry(Answer):
    """A file or folder of a cache; the size is in bytes."""

    name: str = ""
    path: str = ""
    is_dir: bool = False
    size: int = 0
    updated_at: datetime | None = None


class CacheUpload(Answer):
    """Where to put a cache file's bytes, or the entry when they came along."""

    upload_url: str = ""
    expires_at: datetime | None = None
    entry: CacheEntry | None = None
