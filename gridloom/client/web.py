"""httpx without its command line, whose import would take as long as all the rest."""

import sys

_COMMAND_LINE = "httpx._main"
_left_out = sys.modules.setdefault(_COMMAND_LINE, None) is None  # type: ignore[arg-type, unused-ignore]

import httpx  # noqa: E402

if _left_out:
    del sys.modules[_COMMAND_LINE]

__all__ = ["httpx"]
