"""A bucket that speaks the S3 protocol, and how to get in, as it travels from the control plane to a worker."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

BucketKind = Literal["aws", "gcp", "storj"]


class BucketPlace(BaseModel):
    """Where a bucket is; without keys it is asked as anybody.

    `endpoint` is the URL of a server, empty for the kind's own: that of Amazon, Google or Storj. The kind says which
    dialect is spoken; a server of one's own speaks Amazon's unless told otherwise. An empty `region` is the kind's
    usual one.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: BucketKind
    bucket: str
    region: str = ""
    endpoint: str = ""
    access_key: str = ""
    secret_key: str = Field("", repr=False)
    session_token: str = Field("", repr=False)

    @property
    def identity(self) -> str:
        """Which bucket this is, whoever asks for it."""
        return f"{self.endpoint or self.kind}/{self.bucket}"
