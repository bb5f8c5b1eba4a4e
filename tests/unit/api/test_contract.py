"""The served specification covers the published contract: operations, parameters, members with their types, codes."""

import json
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from api.app import public_apis
from api.specification import specification

FACTS = Path(__file__).parents[2] / "contract"
APIS = ("auth", "dev", "customer", "wallet")
ERRORS = ["400", "401", "403", "404", "500", "503", "default"]
NUMBERS = {"integer", "number"}


@cache
def contract(api: str) -> dict[str, Any]:
    return json.loads((FACTS / f"{api}.json").read_text())


@cache
def served(api: str) -> dict[str, Any]:
    it = public_apis()[f"/v1/{api}"]
    return specification(it.title, f"/v1/{api}", [route for part in it.routers for route in part.routes])


OPERATIONS = [
    pytest.param(api, name, id=f"{api} {name}")
    for api in APIS
    for name in contract(api)["operations"]
    if "/docs/" not in name and "/info" not in name.split()[1:]
]


def operation(api: str, name: str) -> dict[str, Any]:
    method, path = name.split()
    wanted = path.replace("{id}", "{}").split("/")
    for candidate, operations in served(api)["paths"].items():
        parts = candidate.split("/")
        same = len(parts) == len(wanted) and all(
            ours == theirs or (ours.startswith("{") and theirs.startswith("{"))
            for ours, theirs in zip(parts, wanted, strict=True)
        )
        if same and method.lower() in operations:
            return operations[method.lower()]
    pytest.fail(f"{name} is not served by {api}")


def resolved(api: str, schema: dict[str, Any]) -> dict[str, Any]:
    """Follow references, and take what is not null of a choice."""
    while True:
        if "$ref" in schema:
            schema = served(api)["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
        elif "anyOf" in schema or "oneOf" in schema:
            choices = schema.get("anyOf") or schema["oneOf"]
            objects = [it for it in choices if "$ref" in it or it.get("type") == "object"]
            others = [it for it in choices if it.get("type") != "null"]
            schema = (objects or others)[0]
        elif len(schema.get("allOf", ())) == 1:
            schema = schema["allOf"][0]
        else:
            return schema


def differences(api: str, kind: str, schema: dict[str, Any], where: str, *, deep: int = 6) -> list[str]:
    """Return how a served schema falls short of a published type."""
    schema = resolved(api, schema)
    ours = schema.get("type")
    published = contract(api)["schemas"].get(kind)
    if not deep or kind == "any" or not ours:
        return []
    wanted = {"array"} if kind.startswith("[") else {"object"}
    if not kind.startswith("[") and (published is None or "enum" in published):
        wanted = NUMBERS if kind in NUMBERS else {"string" if published else kind}
    if ours not in wanted:
        return [f"{where} is {ours}, not {kind}"]
    if ours == "array":
        return differences(api, kind[1:-1], schema.get("items", {}), f"{where}[]", deep=deep - 1)
    if ours != "object" or "properties" not in schema:  # a free object has no members to compare
        return []
    return _members(api, published or {}, schema["properties"], where, deep)


def _members(api: str, published: dict[str, str], ours: dict[str, Any], where: str, deep: int) -> list[str]:
    found = [f"{where}.{name} is missing" for name in published if name not in ours]
    for name in published.keys() & ours.keys():
        found += differences(api, published[name], ours[name], f"{where}.{name}", deep=deep - 1)
    return found


@pytest.mark.parametrize(("api", "name"), OPERATIONS)
def test_every_published_operation_is_served(api, name):
    facts, ours = contract(api)["operations"][name], operation(api, name)
    known = {(it["in"], it["name"]) for it in ours.get("parameters", ())}
    for parameter in facts.get("parameters", ()):
        place, title = parameter.split()[:2]
        assert place == "path" or (place, title) in known, f"parameter {parameter}"
    assert ("security" not in ours) == facts.get("open", False), "whether it needs a token"
    assert {*facts.get("codes", ["200", *ERRORS])} - {"302"} <= {*ours["responses"]}


@pytest.mark.parametrize(("api", "name"), OPERATIONS)
def test_every_published_member_is_served(api, name):
    facts, ours = contract(api)["operations"][name], operation(api, name)
    found: list[str] = []
    if body := facts.get("body"):
        content = ours["requestBody"]["content"]
        schema = (content.get("application/json") or content["application/x-www-form-urlencoded"])["schema"]
        found += differences(api, body, schema, "body")
    answers = facts.get("answer", {})
    for media, kind in (answers if isinstance(answers, dict) else {"application/json": answers}).items():
        content = ours["responses"]["200"]["content"]
        assert media in content
        found += differences(api, kind, content[media]["schema"], "answer")
    assert found == []


@pytest.mark.parametrize("api", APIS)
def test_every_operation_takes_and_gives_messages(api):
    for path, operations in served(api)["paths"].items():
        for method, ours in operations.items():
            for holder in (ours.get("requestBody"), ours["responses"]["200"]):
                content = (holder or {}).get("content", {})
                assert ("application/json" in content) <= ("application/x-protobuf" in content), (
                    method,
                    path,
                )
