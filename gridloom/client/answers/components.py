"""Answers of the developer API."""

from gridloom.client.answers.base import Answer, Member, flag, free, many, moment, number, one, text, whole


class DeviceRequirements(Answer):
    """The least hardware: vCPUs, GB of memory, acceptable GPU models."""

    min_cpu = number()
    min_memory = number()
    gpu = many(str)


class Component(Answer):
    """What apps and engines have in common."""

    id = text()
    name = text()
    version = text()
    owner = text()
    user_name = text()
    status = text()
    description = text()
    platform = text()
    entrypoint = text()
    device_requirements = Member(DeviceRequirements, DeviceRequirements({}))
    platform_config = free()
    is_public = flag()
    hash = text()
    link = text()
    revision = whole()
    created_at = moment()
    updated_at = moment()

    @property
    def tag(self) -> str:
        """The name that templates and jobs call this version by."""
        return f"{self.name}@{self.version}"


class App(Component):
    """The code that runs on every chunk."""


class Engine(Component):
    """A partitioner or an assembler."""

    type = text()


class Template(Answer):
    """An app with its engines and defaults."""

    id = text()
    description = text()
    app = text()
    partitioner = text()
    assembler = text()
    data_source = Member(dict, None)
    data_destination = Member(dict, None)
    params = free()
    config = free()
    is_public = flag()
    owner = text()
    user_name = text()
    created_at = moment()
    updated_at = moment()


class CacheEntry(Answer):
    """A file or folder of a cache; the size is in bytes."""

    name = text()
    path = text()
    is_dir = flag()
    size = whole()
    updated_at = moment()


class CacheUpload(Answer):
    """Where to put a cache file's bytes, or the entry when they came along."""

    upload_url = text()
    expires_at = moment()
    entry = one(CacheEntry)
