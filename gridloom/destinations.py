"""Where a job's output goes, as it travels from the control plane to the worker that delivers it."""

from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from gridloom.buckets import BucketPlace

MANIFESTS = ".gridloom"  #: the folder below a destination's in which the manifests of deliveries lie


class DestinationSpec(BaseModel):
    """A destination in a bucket: the published descriptor and its params; only the worker that delivers is told the
    `place`, with its keys."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    descriptor: str
    params: dict[str, Any] = Field(default={}, repr=False)
    place: BucketPlace | None = None
