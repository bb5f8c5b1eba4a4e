"""Shapes of looking at a data source."""

from typing import Annotated

from pydantic import Field

from api.shapes.base import DataSource, Int64Text, Shape


class TestDataSourceRequest(Shape):
    """The data source to look at; with `list_files` its tree comes too."""

    data_source: DataSource
    list_files: bool = False


class DataSourceFile(Shape):
    """One file of a source; `size` in bytes."""

    id: str
    name: str
    path: str
    size: Int64Text


class DataSourceDirectory(Shape):
    """A folder of a source with all below it."""

    name: str
    path: str
    directories: "list[DataSourceDirectory]" = Field(default_factory=list)
    files: list[DataSourceFile] = Field(default_factory=list)


class TestDataSourceResponse(Shape):
    """A source as it looks now; `size` in bytes, 0 when its server doesn't tell."""

    filename: str
    path: str
    size: Int64Text
    properties: dict[str, str]
    temp_url: Annotated[str, Field(description="Where the object lies; empty when it lies nowhere yet")]
    files: DataSourceDirectory | None
