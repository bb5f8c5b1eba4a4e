"""Reads JSON texts that people write: a trailing comma is forgiven, what no database can hold is not."""

import json
import math
import re
from typing import Any

# A string that never ends is taken to the end of the text, so that no text is read twice.
_STRING_OR_COMMA = re.compile(r'"(?:[^"\\]|\\.)*(?:"|\\?\Z)|,(?=\s*[}\]])', re.DOTALL)


def parse(data: bytes | str, *, trailing_commas: bool = True) -> Any:
    """Return the parsed text; it may start with a byte order mark.

    Raises:
        ValueError: when it is not JSON, or holds NaN, Infinity, a NUL or a lone surrogate; the message says where.
    """
    text = data.decode("utf-8-sig") if isinstance(data, bytes) else data
    try:
        parsed = _loads(text)
    except json.JSONDecodeError:
        mended = _STRING_OR_COMMA.sub(lambda match: match[0] if match[0] != "," else " ", text)
        if not trailing_commas or mended == text:
            raise
        parsed = _loads(mended)
    if "\\u" in text:
        _check_strings(parsed)
    return parsed


def _loads(text: str) -> Any:
    try:
        return json.loads(text, parse_constant=_no_constant, parse_float=_finite)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def _no_constant(name: str) -> float:
    raise ValueError(f"{name} is not JSON")


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"{text[:20]} is too large a number")
    return number


def _check_strings(value: Any) -> None:
    if isinstance(value, str):
        if "\0" in value:
            raise ValueError("a string holds a NUL character")
        value.encode()
    elif isinstance(value, dict):
        for key, item in value.items():
            _check_strings(key)
            _check_strings(item)
    elif isinstance(value, list):
        for item in value:
            _check_strings(item)
