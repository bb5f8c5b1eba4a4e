"""Rewrites the text of a manifest.json: without its registry login, and under another name."""

import json
from collections.abc import Mapping
from typing import Any

from gridloom import lenient_json
from gridloom.handwritten import folded_name

_LOGIN = frozenset({"username", "token"})


def without_login(data: bytes) -> bytes:
    """Return a manifest without the registry's user and token; the very bytes where it holds neither."""
    content = lenient_json.parse(data)
    kept = {key: _no_login(value) if _is(key, "platformconfig") else value for key, value in content.items()}
    return data if kept == content else _text(kept)


def renamed(data: bytes, name: str) -> bytes:
    """Return a manifest under another name; the very bytes where it has that name already."""
    content = lenient_json.parse(data)
    kept = {key: name if _is(key, "name") else value for key, value in content.items()}
    return data if kept == content else _text(kept)


def _no_login(config: Any) -> Any:
    if not isinstance(config, Mapping):
        return config
    return {key: value for key, value in config.items() if not (value and folded_name(key) in _LOGIN)}


def _is(key: str, name: str) -> bool:
    return folded_name(key) == name


def _text(content: Mapping[str, Any]) -> bytes:
    return json.dumps(content, indent=2, ensure_ascii=False).encode() + b"\n"
