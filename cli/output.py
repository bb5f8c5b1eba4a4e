"""What commands print: text or one JSON document on standard output, one-line errors on standard error."""

import json
import sys
from collections.abc import Iterable, Sequence
from typing import Annotated, Any

import typer

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, and nothing else, on standard output.")]


def show(document: Any, text: str, *, as_json: bool) -> None:
    """Print the document as JSON, or the text."""
    say(json.dumps(document, indent=2, ensure_ascii=False, default=str) if as_json else text)


def show_line(document: Any) -> None:
    """Print the document as one line of JSON."""
    say(json.dumps(document, ensure_ascii=False, default=str))


def say(text: str) -> None:
    """Print a text at once."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def complain(message: str) -> None:
    """Print an error in one line."""
    sys.stderr.write(f"error: {' '.join(message.split())}\n")
    sys.stderr.flush()


def table(titles: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Lay rows out in columns as wide as their widest cell."""
    cells = [list(titles), *([clean(it) for it in row] for row in rows)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(titles))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in cells
    )


def fields(document: dict[str, Any], names: Sequence[str]) -> str:
    """Lay the named members of a document out, one a line; empty ones are left out."""
    shown = [(name, document[name]) for name in names if document.get(name) not in (None, "", [], {})]
    width = max((len(name) for name, _ in shown), default=0)
    return "\n".join(f"{name.ljust(width)}  {clean(value)}" for name, value in shown)


def clean(value: object) -> str:
    """Return a value as one line without control characters, which could change what a terminal shows."""
    text = (
        json.dumps(value, ensure_ascii=False)
        if isinstance(value, dict | list)
        else str("" if value is None else value)
    )
    return "".join(char if char.isprintable() else " " for char in text)
