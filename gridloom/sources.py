"""Where a job's input comes from, as it travels from the control plane to the worker that fetches it."""

from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from gridloom.buckets import BucketPlace

BYPASS_DATA = b"\n"  #: the dummy file of a job without input: not empty, and plain text


class SourceSpec(BaseModel):
    """A data source: the published descriptor and its params; `blob_key` is where an uploaded file lies.

    `place` is the bucket of the kinds that have one, with its keys; only a worker that holds a lease is told.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    descriptor: str
    params: dict[str, Any] = Field(default={}, repr=False)
    blob_key: str | None = None
    name: str = ""
    place: BucketPlace | None = None
