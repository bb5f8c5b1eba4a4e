"""manifest.json: what a component is, where its script lies and what it needs to run."""

import math
import re
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, StringConstraints, field_validator

from gridloom.devices import Needs
from gridloom.handwritten import Folded, Names, lower, parse_file

Kind = Literal["app", "partitioner", "assembler"]
_MIB_PER_GB = 1024
_DEFAULT_NEEDS = Needs()
_CONTROL = re.compile(r"[\x00-\x1f\x7f\\]")


class PlatformConfig(Folded):
    """Which image a script runs in, and which secrets it is given."""

    container: str = ""
    private_image: bool = False
    username: str = ""
    token: str = Field("", repr=False)
    secrets: Names = ()


class DeviceRequirements(Folded):
    """The least a machine must have; memory in GB, 0 means the default."""

    min_cpu: float = Field(0, ge=0, le=100_000)
    min_memory: float = Field(0, ge=0, le=10_000_000)
    gpu: Names = ()


class Manifest(Folded):
    """A parsed manifest; `model_dump(mode="json")` and `model_validate` keep it in the database."""

    name: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{1,64}$")]
    version: Annotated[str, StringConstraints(pattern=r"^[0-9]{1,9}\.[0-9]{1,9}$")]
    description: str = ""
    platform: Annotated[Literal["docker"], BeforeValidator(lower)] = "docker"
    entrypoint: str = "main.py"
    type: Annotated[Kind, BeforeValidator(lower)] = "app"
    platform_config: PlatformConfig = PlatformConfig()
    device_requirements: DeviceRequirements = DeviceRequirements()

    @field_validator("entrypoint")
    @classmethod
    def _stays_inside(cls, path: str) -> str:
        if _CONTROL.search(path) or any(part in ("", ".", "..") for part in path.split("/")):
            raise ValueError("must be a plain relative path inside app/")
        return path

    @property
    def major(self) -> int:
        """The version's first number."""
        return int(self.version.partition(".")[0])

    @property
    def minor(self) -> int:
        """The version's second number."""
        return int(self.version.partition(".")[2])

    @property
    def script(self) -> str:
        """The entrypoint's path inside the archive."""
        return f"app/{self.entrypoint}"

    def needs(self) -> Needs:
        """Return what one task of this component reserves; what the manifest leaves open gets the default."""
        wanted = self.device_requirements
        return Needs(
            cores=wanted.min_cpu or _DEFAULT_NEEDS.cores,
            memory_mib=math.ceil(wanted.min_memory * _MIB_PER_GB) or _DEFAULT_NEEDS.memory_mib,
            gpus=wanted.gpu,
        )


def parse_manifest(data: bytes | str) -> Manifest:
    """Read manifest.json.

    Raises:
        BadManifest: when it is not JSON or a member breaks the rules; the message names the member.
    """
    return parse_file(Manifest, data, "manifest.json")
