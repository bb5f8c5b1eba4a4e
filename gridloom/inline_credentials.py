"""Finds the secrets that older clients write into a source's or destination's params, so that they can lie apart."""

import copy
import json
from collections.abc import Iterator, Mapping
from typing import Any

from gridloom import lenient_json
from gridloom.errors import BadInput
from gridloom.handwritten import folded_name

NAMES = frozenset(
    {
        "secretkey",
        "secretaccesskey",
        "awssecretaccesskey",
        "sessiontoken",
        "awssessiontoken",
        "password",
        "passwd",
    }
)
"""Names of secret members, without case and underscores."""

_ENDS = frozenset({"datasource", "datadestination"})

Path = tuple[str | int, ...]
Found = list[tuple[Path, str]]
"""Secrets, each behind the names and places that lead to it inside its params."""


def apart(params: Mapping[str, Any], field: str) -> tuple[dict[str, Any], Found]:
    """Return params without secrets, and the secrets, empty ones left out; `field` is where the params are.

    Raises:
        BadInput: when a secret is no text, naming it.
    """
    members = list(_secret_members(params))
    for path, value in members:
        if value is not None and not isinstance(value, str):
            name = f"{field}.{'.'.join(map(str, path))}"
            raise BadInput(f"{name} must be a string", field=name)
    return _without(params, [path for path, _ in members]), [(path, it) for path, it in members if it]


def together(params: Mapping[str, Any], found: Found) -> dict[str, Any]:
    """Return what `apart` took apart."""
    whole = dict(params)
    for path, value in found:
        whole, innermost = _copied(whole, path[:-1])
        innermost[path[-1]] = value
    return whole


def template_without(data: bytes) -> bytes:
    """Return the text of a template.json without secrets; the very bytes where it holds none or is no JSON."""
    try:
        content = lenient_json.parse(data)
    except ValueError:
        return data
    paths = [] if not isinstance(content, Mapping) else list(_paths_in_template(content))
    if not paths:
        return data
    return json.dumps(_without(content, paths), indent=2, ensure_ascii=False).encode() + b"\n"


def _paths_in_template(content: Mapping[str, Any]) -> Iterator[Path]:
    for name, end in content.items():
        if folded_name(name) in _ENDS and isinstance(end, Mapping):
            yield from ((name, *path) for path, _ in _secret_members(end))


def _secret_members(params: Mapping[str, Any]) -> Iterator[tuple[Path, Any]]:
    """Yield paths and values, however deep; without recursion, since a client says how deep."""
    todo: list[tuple[Path, Any]] = [((), params)]
    while todo:
        path, value = todo.pop()
        members = value.items() if isinstance(value, Mapping) else enumerate(value)
        for name, member in members:
            if isinstance(name, str) and folded_name(name.replace("-", "_")) in NAMES:
                yield (*path, name), member
            elif isinstance(member, Mapping | list):
                todo.append(((*path, name), member))


def _without(params: Mapping[str, Any], paths: list[Path]) -> dict[str, Any]:
    kept = dict(params)
    for path in paths:
        kept, innermost = _copied(kept, path[:-1])
        del innermost[path[-1]]
    return kept


def _copied(params: Mapping[str, Any], path: Path) -> tuple[dict[str, Any], Any]:
    """Return a copy whose containers on the path are copies too, and the one that the path leads to."""
    whole = dict(params)
    at: Any = whole
    for step in path:
        at[step] = copy.copy(at[step])
        at = at[step]
    return whole, at
