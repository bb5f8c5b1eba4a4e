"""Frames: a JSON header and raw bytes in one HTTP body, so that chunks and results travel without base64.

Layout: 4 bytes big-endian length of the header, the header (UTF-8 JSON of a model), then the tail. The header's
model says which part of the tail is what, by offset and size.
"""

from typing import TypeVar

from pydantic import BaseModel, ValidationError

from gridloom.errors import BadInput

CONTENT_TYPE = "application/vnd.gridloom.frame"

Model = TypeVar("Model", bound=BaseModel)


def pack(header: BaseModel, tail: bytes = b"") -> bytes:
    """Return the frame of a header and its tail."""
    text = header.model_dump_json().encode()
    return b"".join((len(text).to_bytes(4, "big"), text, tail))


def unpack(kind: type[Model], body: bytes) -> tuple[Model, memoryview]:
    """Return a frame's header as `kind` and a view of its tail.

    Raises:
        BadInput: when the body is no such frame.
    """
    size = int.from_bytes(body[:4], "big")
    if len(body) < 4 or len(body) < 4 + size:
        raise BadInput("the body is not a whole frame")
    try:
        header = kind.model_validate_json(body[4 : 4 + size])
    except ValidationError as error:
        first = error.errors()[0]
        raise BadInput(
            f"the frame's header is wrong: {first['msg']}", field=".".join(map(str, first["loc"]))
        ) from error
    return header, memoryview(body)[4 + size :]
