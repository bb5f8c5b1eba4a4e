"""What commands print: text or one JSON document on standard output, one-line errors on standard error."""

import json
import sys
from collections.abc import Iterable, Sequence
from typing import Annotated, Any

import typer

Wide = Annotated[bool, typer.Option("--wide", help="Print whole columns, however narrow the terminal is.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, and nothing else, on standard output.")]

_STYLES = {
    **dict.fromkeys(("complete", "completed", "active", "ok"), "green"),
    **dict.fromkeys(("failed", "error", "revoked", "disabled"), "red"),
    **dict.fromkeys(("aborted", "warn", "warning"), "yellow"),
    **dict.fromkeys(("inactive", "new"), "dim"),
}  #: colours of words in tables
_GAP = 2


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


def note(text: str) -> None:
    """Print something beside the result: on standard error."""
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()


def complain(message: str) -> None:
    """Print an error in one line."""
    note(f"error: {' '.join(message.split())}")


def table(titles: Sequence[str], rows: Iterable[Sequence[object]], *, wide: bool = False) -> str:
    """Lay rows out in columns: as wide as their widest cell, or so narrow that they fit the terminal."""
    cells = [[clean(it) for it in row] for row in rows]
    if sys.stdout.isatty() and not wide:
        return _fitted(titles, cells)
    cells.insert(0, list(titles))
    widths = [max(len(row[column]) for row in cells) for column in range(len(titles))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in cells
    )


def rest_of(answer: dict[str, Any]) -> str:
    """Return a line that says how many more rows a list has, if it has."""
    paging = answer.get("pagination") or {}
    return (
        f"\n({paging.get('total')} in all; --limit and --offset show more)" if paging.get("hasNext") else ""
    )


def moment(value: object) -> str:
    """Return a time as the fabric gives it without parts of a second."""
    return str(value or "")[:19].replace("T", " ")


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


def _fitted(titles: Sequence[str], cells: Sequence[Sequence[str]]) -> str:
    from rich.cells import cell_len
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console()
    natural = [max(map(cell_len, column)) for column in zip(titles, *cells, strict=True)]
    widths = _shares(natural, console.width - _GAP * (len(titles) - 1))
    plain = console.no_color
    grid = Table(box=None, pad_edge=False, padding=(0, _GAP, 0, 0), header_style="" if plain else "bold")
    for title, width in zip(titles, widths, strict=True):
        grid.add_column(title, width=width, no_wrap=True, overflow="ellipsis")
    for row in cells:
        grid.add_row(*(Text(cell, style="" if plain else _STYLES.get(cell.lower(), "")) for cell in row))
    with console.capture() as captured:
        console.print(grid)
    return captured.get().rstrip("\n")


def _shares(natural: Sequence[int], room: int) -> list[int]:
    """Return how wide columns may be: narrow ones as they are, wide ones alike, and no wider in all than the room."""
    widest = max(natural, default=0)
    while widest > 1 and sum(min(it, widest) for it in natural) > room:
        widest -= 1
    return [min(it, widest) for it in natural]
