"""Points in time as users write them: a date, a time, or a duration such as 2h."""

import re
from datetime import UTC, datetime, timedelta

import typer

_SPAN = re.compile(r"([0-9]{1,6})\s*([smhdw])")
_UNITS_S = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}


def past(text: str) -> datetime:
    """Read a time; a duration means so long ago."""
    span = _span(text)
    return datetime.now(UTC) - span if span is not None else _moment(text)


def future(text: str) -> datetime:
    """Read a time; a duration means so long from now."""
    span = _span(text)
    return datetime.now(UTC) + span if span is not None else _moment(text)


def _span(text: str) -> timedelta | None:
    found = _SPAN.fullmatch(text.strip())
    return timedelta(seconds=int(found[1]) * _UNITS_S[found[2]]) if found else None


def _moment(text: str) -> datetime:
    try:
        found = datetime.fromisoformat(text.strip())
    except ValueError:
        raise typer.BadParameter(f"{text!r} is neither like 2026-01-31T12:00 nor like 2h or 30d") from None
    return found if found.tzinfo else found.replace(tzinfo=UTC)
