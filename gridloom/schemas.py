"""schema.json: checks parameters against a component's JSON Schema (draft 7), without ever fetching anything."""

from collections.abc import Mapping, Sequence
from typing import Any, NoReturn

import jsonschema_rs

from gridloom import lenient_json
from gridloom.errors import BadArchive, BadParameters

FILE = "schema.json"
Schema = dict[str, Any]


def parse_schema(data: bytes) -> Schema:
    """Read schema.json.

    Raises:
        BadArchive: when it is not JSON, no valid schema, or refers to anything outside itself.
    """
    try:
        schema = lenient_json.parse(data)
    except ValueError as error:
        raise BadArchive(f"{FILE} is not JSON: {error}", field=FILE) from None
    if not isinstance(schema, dict):
        raise BadArchive(f"{FILE} must be an object", field=FILE)
    try:
        _validator(schema)
    except ValueError as error:
        reason = getattr(error, "message", None) or str(error)
        raise BadArchive(f"{FILE} is not a JSON Schema: {reason}", field=FILE) from None
    return schema


def check_params(schema: Schema | None, params: Mapping[str, Any], section: str) -> None:
    """Check the parameters of a section (`partitioner`, `app` or `assembler`); without a schema all are good.

    Raises:
        BadParameters: naming the first member that breaks the schema by its JSON pointer, e.g. `/params/app/case`.
    """
    if schema is None:
        return
    for error in _validator(schema).iter_errors(dict(params)):
        place = "/".join(("/params", section, *(_escape(str(part)) for part in error.instance_path)))
        raise BadParameters(f"{place}: {_choice(schema, error.schema_path) or error.message}", field=place)


def _choice(schema: Schema, path: Sequence[str | int]) -> str:
    """Return what to say of a oneOf or anyOf between members to give, "" of anything else: the validator's own words
    leave the members out."""
    quantity = {"oneOf": "exactly one of", "anyOf": "at least one of"}.get(str(path[-1]) if path else "")
    found: Any = schema
    for part in path if quantity else ():
        if "$ref" in found:
            return ""
        found = found[part]
    names = [name for branch in found if isinstance(branch, dict) for name in branch.get("required", ())]
    return f"give {quantity} {', '.join(names)}" if quantity and names else ""


def _validator(schema: Schema) -> jsonschema_rs.Draft7Validator:
    return jsonschema_rs.Draft7Validator(schema, retriever=_refuse)


def _refuse(uri: str) -> NoReturn:
    raise ValueError(f"{uri} lies outside the schema")


def _escape(part: str) -> str:
    return part.replace("~", "~0").replace("/", "~1")
