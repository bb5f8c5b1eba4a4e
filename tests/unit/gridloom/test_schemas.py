import json

import pytest

from gridloom.errors import BadArchive, BadParameters
from gridloom.schemas import check_params, parse_schema

SCHEMA = {
    "$id": "db://schemas/hello",
    "definitions": {"case": {"enum": ["upper", "lower"]}},
    "properties": {
        "case": {"$ref": "#/definitions/case"},
        "a/b": {"type": "array", "items": {"type": "integer"}},
    },
    "required": ["case"],
}


def test_good_parameters_pass():
    schema = parse_schema(json.dumps(SCHEMA).encode())
    check_params(schema, {"case": "upper", "a/b": [1]}, "app")
    check_params(None, {"anything": 1}, "app")


@pytest.mark.parametrize(
    ("params", "pointer"),
    [
        ({"case": "x"}, "/params/app/case"),
        ({"case": "upper", "a/b": [1, "y"]}, "/params/app/a~1b/1"),
        ({}, "/params/app"),
    ],
)
def test_bad_parameters_are_named_by_their_pointer(params, pointer):
    with pytest.raises(BadParameters) as caught:
        check_params(parse_schema(json.dumps(SCHEMA).encode()), params, "app")
    assert caught.value.field == pointer
    assert pointer in caught.value.message


@pytest.mark.parametrize(
    "schema",
    [
        "{",
        "[]",
        "true",
        '{"type": "nothing"}',
        '{"$ref": "http://127.0.0.1:1/s"}',
        '{"$ref": "file:///etc/passwd"}',
        '{"$ref": "#/definitions/none"}',
    ],
)
def test_a_broken_schema_or_one_that_points_elsewhere_is_refused(schema):
    with pytest.raises(BadArchive, match=r"schema\.json") as caught:
        parse_schema(schema.encode())
    assert caught.value.field == "schema.json"


def test_a_schema_that_refers_to_itself_ends():
    check_params(parse_schema(b'{"allOf": [{"$ref": "#"}]}'), {"a": {"b": {}}}, "app")


def test_a_choice_between_members_names_them():
    schema = {"oneOf": [{"required": ["lines"]}, {"required": ["size"]}]}
    with pytest.raises(BadParameters, match=r"^/params/partitioner: give exactly one of lines, size$"):
        check_params(schema, {}, "partitioner")
    with pytest.raises(BadParameters, match="exactly one of lines, size"):
        check_params(schema, {"lines": 1, "size": 2}, "partitioner")
    nested = {"properties": {"cut": {"anyOf": [{"required": ["at"]}, {"required": ["by"]}]}}}
    with pytest.raises(BadParameters, match=r"^/params/app/cut: give at least one of at, by$"):
        check_params(nested, {"cut": {}}, "app")
