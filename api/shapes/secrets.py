"""Shapes of secrets: the secret key goes in beside the secret, and no shape lets it out."""

from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from api.shapes.base import Moment, Shape

_ID_CHARS = 100
_NAME_CHARS = 200
_KEY_CHARS = 64 * 1024
_PARAMS = 100
_PARAM_CHARS = 4096


def _id(value: str) -> str:
    if not value.isprintable() or "=" in value:
        raise ValueError("must hold neither control characters nor =, since variables are named after it")
    return value


def _or_never(value: Any) -> Any:
    return None if value == "" else value


class Secret(Shape):
    """A secret without its secret key; `expires_at` null is never."""

    id: Annotated[str, Field(min_length=1, max_length=_ID_CHARS), AfterValidator(_id)]
    secret_type: str
    expires_at: Annotated[Moment | None, BeforeValidator(_or_never)] = None
    access_key: str = Field("", max_length=_PARAM_CHARS)
    params: Annotated[
        dict[Annotated[str, Field(max_length=_PARAM_CHARS)], Annotated[str, Field(max_length=_PARAM_CHARS)]],
        Field(max_length=_PARAMS),
    ] = Field(default_factory=dict)
    name: str = Field("", max_length=_NAME_CHARS)

    @model_validator(mode="before")
    @classmethod
    def _without_nulls(cls, content: Any) -> Any:
        if not isinstance(content, dict):
            return content
        return {name: value for name, value in content.items() if value is not None}


class SaveSecretRequest(Shape):
    """A secret, and its secret key, which can't be read again."""

    secret: Secret
    secret_key: str = Field(min_length=1, max_length=_KEY_CHARS, repr=False)


class SecretListResponse(Shape):
    """The caller's secrets."""

    secrets: list[Secret]


class RotatedKind(Shape):
    """What a rotation did to one sort of sealed values; those that can't be opened stayed as they were."""

    rewrapped: int
    unreadable: int


class RotateKeyResponse(Shape):
    """The master key that everything is sealed under now, and what was done, by sort."""

    master_id: str
    kinds: dict[str, RotatedKind]
