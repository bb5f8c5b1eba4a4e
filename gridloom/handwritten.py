"""Base of the JSON files that people write: manifests and templates, in either spelling of their members."""

from collections.abc import Iterator, Mapping, Sequence
from inspect import isclass
from typing import Annotated, Any, TypeVar, get_args

from pydantic import BaseModel, BeforeValidator, ConfigDict, ValidationError, model_validator

from gridloom import lenient_json
from gridloom.errors import BadManifest

Model = TypeVar("Model", bound="Folded")


def folded_name(name: str) -> str:
    """Return a member's name without case and underscores."""
    return name.replace("_", "").lower()


def fold(content: Any) -> Any:
    """Return an object's members under their names without case and underscores; null ones count as missing."""
    if not isinstance(content, Mapping):
        return content
    return {folded_name(key): value for key, value in content.items() if value is not None}


def lower(value: Any) -> Any:
    """Return text in lower case, and anything else as it is."""
    return value.lower() if isinstance(value, str) else value


def _many(value: Any) -> Any:
    values = [value] if isinstance(value, str) else value
    return [it for it in values if it != ""] if isinstance(values, list | tuple) else values


Names = Annotated[tuple[str, ...], BeforeValidator(_many)]
"""A list of names, or a single one; empty names are dropped."""


class Folded(BaseModel):
    """Accepts camelCase and snake_case in any case; unknown members are ignored."""

    model_config = ConfigDict(
        frozen=True,
        extra="ignore",
        alias_generator=lambda name: name.replace("_", ""),
        populate_by_name=True,
        allow_inf_nan=False,
    )

    @model_validator(mode="before")
    @classmethod
    def _fold(cls, content: Any) -> Any:
        return fold(content)


def parse_file(kind: type[Model], data: bytes | str, file: str) -> Model:
    """Read the text of a file as a `kind`; `file` is its name, for errors.

    Raises:
        BadManifest: when it is not JSON or a member breaks the rules; the message names the member.
    """
    try:
        content = lenient_json.parse(data)
    except ValueError as error:
        raise BadManifest(f"{file} is not JSON: {error}", field=file) from None
    return build(kind, content, file)


def build(kind: type[Model], content: Any, place: str) -> Model:
    """Make a `kind` of parsed JSON; `place` is where that came from, for errors.

    Raises:
        BadManifest: when a member breaks the rules; the message names it.
    """
    if not isinstance(content, Mapping):
        raise BadManifest(f"{place} must be an object", field=place)
    try:
        return kind.model_validate(content)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        member = ".".join(_spelled(kind, first["loc"]))
        raise BadManifest(
            f"{place}: {member}: {first['msg'].removeprefix('Value error, ')}", field=f"{place}.{member}"
        ) from None


def _spelled(kind: Any, place: Sequence[int | str]) -> Iterator[str]:
    """Yield the names on the way to a member as they are documented, which the folded ones are not."""
    for part in place:
        fields = kind.model_fields if isclass(kind) and issubclass(kind, Folded) else {}
        name = next((it for it, field in fields.items() if field.alias == part), str(part))
        shapes = (fields[name].annotation, *get_args(fields[name].annotation)) if name in fields else ()
        kind = next((it for it in shapes if isclass(it) and issubclass(it, Folded)), None)
        yield name
