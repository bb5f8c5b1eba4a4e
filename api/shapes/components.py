"""Shapes of apps and engines."""

from datetime import datetime
from typing import Literal

from pydantic import Field

from api.shapes.base import GenericResponse, Int64Text, PaginatedResponse, Shape


class PlatformConfig(Shape):
    """Which image a script runs in; only the owner is told the registry's user and the secrets, nobody the token."""

    container: str
    private_image: bool
    username: str
    token: Literal[""] = ""
    secrets: tuple[str, ...]


class DeviceRequirements(Shape):
    """The least a machine must have; memory in GB."""

    min_cpu: float
    min_memory: float
    gpu: tuple[str, ...]


class _Component(Shape):
    id: str
    name: str
    version: str
    owner: str
    user_name: str
    status: str
    description: str
    hash: str
    link: str
    entrypoint: str
    platform: str
    platform_config: PlatformConfig
    device_requirements: DeviceRequirements
    is_public: bool
    created_at: datetime
    updated_at: datetime


class App(_Component):
    """An app; its revision is sent as text."""

    revision: Int64Text


class Engine(_Component):
    """A partitioner or assembler; its revision is sent as a number."""

    type: str
    revision: int
    deleted_at: datetime | None = None


class AppResponse(Shape):
    """One app."""

    app: App


class AppListResponse(Shape):
    """One page of apps."""

    apps: list[App]
    pagination: PaginatedResponse


class EngineListResponse(Shape):
    """One page of engines."""

    engines: list[Engine]
    pagination: PaginatedResponse


class EngineMessage(Shape):
    """The answer of an engine's status, activate, deactivate and download."""

    engine_id: str
    engine_tag: str
    engine_data: str = ""
    engine_link: str = ""
    engine_status: str


class LinkResponse(GenericResponse):
    """The generic answer, with a link in `message` and `link`."""

    link: str


class UploadAppRequest(Shape):
    """A base64 tar."""

    data: str = Field(min_length=1)


class EngineQuery(Shape):
    """What older clients say of an engine beside its path, where all but an upload find it by the path alone."""

    engine_id: str = ""
    engine_data: str = ""
    engine_link: str = ""
    engine_status: str = ""


class UploadEngineRequest(EngineQuery):
    """A base64 tar under either name, or a link to one; `engine_status` is active or inactive, or as it was.

    Which engine it is stands in the archive's manifest.
    """

    data: str = ""
    engine_tag: str = ""


class UploadEngineQuery(EngineQuery):
    """The same in the query."""

    engine_tag: str = ""


class ImportRequest(Shape):
    """Whose public thing is meant, and another name for the copy."""

    user_name: str = ""
    name: str = ""
