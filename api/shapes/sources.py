"""Shapes of looking at a data source."""

from typing import Annotated

from pydantic import Field

from api.shapes.base import DataSource, Int64Text, Shape, null_is

MOST_FILES = 10_000  #: of one page


class TestDataSourceRequest(Shape):
    """The data source or the destination to look at; with `list_files` its tree comes too.

    The tree is a page of at most `limit` files, 1000 unless it says otherwise and never more than 10,000, from behind
    `after`. With a `path` it holds what lies directly in that folder of the source, `/` being the source itself.
    """

    data_source: DataSource | None = None
    data_destination: DataSource | None = None
    list_files: Annotated[bool, null_is(False)] = False
    path: Annotated[str, null_is("")] = ""
    after: Annotated[str, null_is("")] = ""
    limit: Annotated[int, null_is(0)] = Field(0, ge=0, le=MOST_FILES)


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


class Permissions(Shape):
    """What the keys of a bucket may do there; null where it was not tried."""

    list: bool | None = None
    read: bool | None = None
    write: bool | None = None


class TestDataSourceResponse(Shape):
    """A source or destination as it looks now; `size` in bytes, 0 when its server doesn't tell.

    `count` and `totalSize` are those of one page of files; `after` is where the next begins, empty at the end. Each
    of the `problems` names a permission that is missing.
    """

    filename: str
    path: str
    size: Int64Text
    properties: dict[str, str]
    temp_url: Annotated[str, Field(description="Where the object lies; empty when it lies nowhere yet")]
    files: DataSourceDirectory | None
    reachable: bool
    permissions: Permissions
    count: int
    total_size: Int64Text
    truncated: bool
    after: str
    problems: list[str]


class RedeliverRequest(Shape):
    """Where to deliver a job's output; to the job's own destination when there is none."""

    data_destination: DataSource | None = None
