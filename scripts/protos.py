"""Write api/proto/gridloom.proto from the shapes of the public APIs, and compile it: `python scripts/protos.py [--check]`.

Fields keep the numbers that the file gives them; new ones get the next, and numbers of fields that are gone are
reserved, so that clients compiled from an older file go on working.
"""

import re
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import Enum
from inspect import isclass
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from fastapi.routing import APIRoute
from grpc_tools import __file__ as tools_file
from grpc_tools import protoc
from pydantic import BaseModel

from api.app import public_apis
from api.protobuf import PROTO_FILE as FILE
from api.shapes.base import ErrorBody, InfoResponse

_HEAD = """// The messages of Gridloom's public APIs, for the media type application/x-protobuf.
//
// Each has the fields of the JSON object of the same name; scripts/protos.py writes this file.
syntax = "proto3";

package gridloom.v1;

import "google/protobuf/struct.proto";
import "google/protobuf/timestamp.proto";
"""
_SCALARS: dict[Any, str] = {
    str: "string",
    bool: "bool",
    int: "int64",
    float: "double",
    bytes: "bytes",
    Enum: "string",
    datetime: "google.protobuf.Timestamp",
    date: "string",
}
_STRUCT, _VALUE = "google.protobuf.Struct", "google.protobuf.Value"


@dataclass
class Known:
    """The numbers that a message of the written file uses: of fields by name, and reserved ones."""

    numbers: dict[str, int] = field(default_factory=dict)
    reserved: set[int] = field(default_factory=set)


def known_messages(text: str) -> dict[str, Known]:
    """Read the numbers out of the written file, by message."""
    found: dict[str, Known] = {}
    for name, body in re.findall(r"^message (\w+) \{\n(.*?)^\}", text, re.DOTALL | re.MULTILINE):
        known = found[name] = Known()
        for line in body.splitlines():
            if line.strip().startswith("reserved"):
                known.reserved |= {int(it) for it in re.findall(r"\d+", line)}
            elif match := re.search(r"(\w+) = (\d+)", line):
                known.numbers[match[1]] = int(match[2])
    return found


def shapes() -> dict[str, type[BaseModel]]:
    """Return every shape that a public route takes or answers, by name."""
    found: dict[str, type[BaseModel]] = {}
    for api in public_apis().values():
        for router in api.routers:
            for route in router.routes:
                if isinstance(route, APIRoute):
                    bodies = [route.body_field.field_info.annotation] if route.body_field else []
                    streamed = [it["model"] for it in route.responses.values() if "model" in it]
                    for annotation in (route.response_model, *bodies, *streamed):
                        _collect(annotation, found)
    for always in (ErrorBody, InfoResponse):
        _collect(always, found)
    return found


def _collect(annotation: Any, found: dict[str, type[BaseModel]]) -> None:
    for shape in _shapes_in(annotation):
        if found.setdefault(shape.__name__, shape) is not shape:
            sys.exit(f"two shapes are called {shape.__name__}")
        for member in shape.model_fields.values():
            for inner in _shapes_in(member.annotation):
                if inner.__name__ not in found:
                    _collect(inner, found)


def _shapes_in(annotation: Any) -> Iterator[type[BaseModel]]:
    if isclass(annotation) and issubclass(annotation, BaseModel):
        yield annotation
    for part in get_args(annotation):
        yield from _shapes_in(part)


def proto_type(annotation: Any) -> str:
    """Return the type of a field, with its label, for a Python annotation."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return proto_type(arguments[0])
    if origin in (Union, UnionType):
        kinds = {proto_type(it) for it in arguments if it is not NoneType}
        kind = kinds.pop() if len(kinds) == 1 else _VALUE
        return kind if kind.startswith(("repeated", "map", "optional")) else f"optional {kind}"
    if origin in (list, tuple, set, frozenset):
        return "repeated " + _plain(arguments[0])
    if origin is dict:
        value = _plain(arguments[1])
        return _STRUCT if value in (_VALUE, _STRUCT) else f"map<string, {value}>"
    return _plain(annotation)


def _plain(annotation: Any) -> str:
    """Return the type of a value that stands alone."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _plain(arguments[0])
    if origin is Literal:
        return _SCALARS[type(arguments[0])]
    if isclass(annotation) and issubclass(annotation, BaseModel):
        return annotation.__name__
    bases = annotation.__mro__ if isclass(annotation) and annotation is not Any else ()
    return next((_SCALARS[it] for it in bases if it in _SCALARS), _STRUCT if origin is dict else _VALUE)


def message(name: str, shape: type[BaseModel], known: Known) -> str:
    """Return the text of one message."""
    numbers, reserved = dict(known.numbers), set(known.reserved)
    reserved |= {number for old, number in numbers.items() if old not in shape.model_fields}
    last = max([0, *numbers.values(), *reserved])
    lines = [f"// {' '.join((shape.__doc__ or '').split())}", f"message {name} {{"]
    if reserved:
        lines.append(f"  reserved {', '.join(str(it) for it in sorted(reserved))};")
    for member, info in shape.model_fields.items():
        if member not in numbers:
            last += 1
            numbers[member] = last
        wire = info.serialization_alias or info.alias or member
        option = "" if wire == _camel(member) else f' [json_name = "{wire}"]'
        lines.append(f"  {proto_type(info.annotation)} {member} = {numbers[member]}{option};")
    return "\n".join([*lines, "}"])


def _camel(name: str) -> str:
    return re.sub(r"_([a-z0-9])", lambda found: found[1].upper(), name)


def text_of(old: str) -> str:
    """Return what the file must hold, given what it holds."""
    known = known_messages(old)
    return (
        "\n\n".join(
            [
                _HEAD.rstrip(),
                *(message(name, it, known.get(name, Known())) for name, it in sorted(shapes().items())),
            ]
        )
        + "\n"
    )


def compiled(text: str) -> str:
    """Return the Python module that protoc makes of a file's text."""
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / FILE.name).write_text(text)
        includes = Path(tools_file).parent / "_proto"
        if protoc.main(["protoc", f"-I{folder}", f"-I{includes}", f"--python_out={folder}", FILE.name]):
            sys.exit("protoc refuses the file")
        return (Path(folder) / f"{FILE.stem}_pb2.py").read_text()


def main() -> None:
    """Write both files, or with `--check` exit 1 when they are not up to date."""
    old = FILE.read_text() if FILE.exists() else ""
    new = text_of(old)
    if "--check" in sys.argv[1:]:
        sys.exit("api/proto: run scripts/protos.py" if new != old else 0)
    module = compiled(new)
    FILE.write_text(new)
    FILE.with_name(f"{FILE.stem}_pb2.py").write_text(module)


if __name__ == "__main__":
    main()
