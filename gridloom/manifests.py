"""manifest.json: what a component is, where its script lies and what it needs to run."""

import math
import re
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, StringConstraints, field_validator

from gridloom.devices import Needs
from gridloom.handwritten import Folded, Names, lower, parse_file
from gridloom.warmth import Isolation, Network, Preload

Kind = Literal["app", "partitioner", "assembler"]
_MIB_PER_GB = 1024
_DEFAULT_NEEDS = Needs()
_CONTROL = re.compile(r"[\x00-\x1f\x7f\\]")
_IMAGE_CHARS = 500
_MOST_MODULES = 200
_MOST_SECRETS = 100
_MODULE_CHARS = 200


def _preload(value: Any) -> Any:
    if isinstance(value, str):
        if value.lower() not in {"auto", "off"}:
            raise ValueError("must be auto, off or a list of module names")
        return value.lower()
    if not isinstance(value, list | tuple) or len(value) > _MOST_MODULES:
        raise ValueError(f"must be auto, off or a list of at most {_MOST_MODULES} module names")
    for name in value:
        if not isinstance(name, str) or len(name) > _MODULE_CHARS or not _is_module(name):
            raise ValueError(f"{str(name)[:_MODULE_CHARS]!a} is not the name of a module")
    return tuple(dict.fromkeys(value))


def _is_module(name: str) -> bool:
    return name.isascii() and all(part.isidentifier() for part in name.split("."))


class PlatformConfig(Folded):
    """Which image a script runs in, and which secrets it is given."""

    container: str = Field("", max_length=_IMAGE_CHARS)
    private_image: bool = False
    username: str = ""
    token: str = Field("", repr=False)
    secrets: Annotated[Names, Field(max_length=_MOST_SECRETS)] = ()


class DeviceRequirements(Folded):
    """The least a machine must have; memory in GB, 0 means the default."""

    min_cpu: float = Field(0, ge=0, le=100_000)
    min_memory: float = Field(0, ge=0, le=10_000_000)
    gpu: Names = ()


class Warm(Folded):
    """How tasks are kept warm and apart: what Python imports ahead of them, and what is fresh for each."""

    preload: Annotated[Preload, BeforeValidator(_preload)] = "auto"
    isolation: Annotated[Isolation, BeforeValidator(lower)] = Isolation.TASK


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
    network: Annotated[Network, BeforeValidator(lower)] = Network.NONE
    warm: Warm = Warm()

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
