"""Shapes of job templates."""

from datetime import datetime
from typing import Any

from pydantic import ConfigDict, Field

from api.shapes.base import DataSource, PaginatedResponse, Shape


class TemplateParams(Shape):
    """Default parameters of each component."""

    partitioner: dict[str, Any] = Field(default_factory=dict)
    app: dict[str, Any] = Field(default_factory=dict)
    assembler: dict[str, Any] = Field(default_factory=dict)


class TemplateConfig(Shape):
    """Default execution settings; timeouts in seconds, null when the template says nothing."""

    task_timeout: float | None = None
    job_timeout: float | None = None
    is_test_job: bool | None = None
    max_task_retries: int | None = None
    reuse: bool | None = None


class Template(Shape):
    """A job template."""

    id: str
    description: str = ""
    app: str = ""
    partitioner: str = ""
    assembler: str = ""
    data_source: DataSource | None = None
    data_destination: DataSource | None = None
    params: TemplateParams
    config: TemplateConfig
    is_public: bool
    owner: str
    user_name: str
    created_at: datetime
    updated_at: datetime


class TemplateBody(Shape):
    """A template as clients send it: in any case of its members' names, and with the older name of `params`.

    `gridloom.templates` judges it; what the server sets is ignored.
    """

    model_config = ConfigDict(extra="allow")

    id: str | None = None
    description: str | None = None
    app: str | None = None
    partitioner: str | None = None
    assembler: str | None = None
    data_source: DataSource | None = None
    data_destination: DataSource | None = None
    params: dict[str, Any] | None = None
    default_params: dict[str, Any] | None = Field(None, alias="default_params")
    config: dict[str, Any] | None = None
    is_public: bool | None = None
    owner: Any = None
    user_name: Any = None
    created_at: Any = None
    updated_at: Any = None


class TemplateListResponse(Shape):
    """One page of templates."""

    templates: list[Template]
    pagination: PaginatedResponse
