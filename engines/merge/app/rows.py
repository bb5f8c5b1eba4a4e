"""Reads rows of text, JSON lines and CSV from results, and joins results that need no sorting."""

import csv
import json
import re
import shutil
import sys
from contextlib import contextmanager

BLOCK = 1 << 20
BOM = b"\xef\xbb\xbf"
NUMBER = re.compile(r"[+-]?[0-9]+(\.[0-9]*)?([eE][+-]?[0-9]+)?")

csv.field_size_limit(sys.maxsize)


@contextmanager
def reading(path):
    """Open a result; errors in what it holds name the file."""
    try:
        with path.open("rb") as stream:
            yield stream
    except (ValueError, csv.Error) as error:
        raise ValueError(f"result {path.name}: {error}") from error


def ended(line: bytes) -> bytes:
    """Give the last line of a file the line end that it may lack."""
    return line if line.endswith(b"\n") else line + b"\n"


def rank(value, descending: bool) -> tuple:
    """Make a sort key: numbers before words, and rows without a value last in both directions."""
    if value is None or value == "":
        return (-1 if descending else 2, 0, "")
    if isinstance(value, (int, float)):
        return (0, value, "")
    return (1, 0, value if isinstance(value, str) else json.dumps(value, sort_keys=True))


def join_text(results, target, separator: str) -> None:
    """Append every result byte for byte, with `separator` between them."""
    for place, path in enumerate(results):
        target.write(separator.encode() if place else b"")
        with path.open("rb") as source:
            shutil.copyfileobj(source, target, BLOCK)


def copy_lines(source, target) -> None:
    """Append the rest of `source`, so that `target` ends with a whole line."""
    last = b"\n"
    for block in iter(lambda: source.read(BLOCK), b""):
        target.write(block)
        last = block[-1:]
    if last != b"\n":
        target.write(b"\n")


def join_jsonl(results, target, _separator: str) -> None:
    """Append the lines of every result."""
    for path in results:
        with path.open("rb") as source:
            copy_lines(source, target)


def join_csv(results, target, _separator: str) -> None:
    """Write the header once, then the rows of every result."""
    target.write(csv_header(results))
    header = None
    for path in results:
        with reading(path) as stream:
            header = read_header(stream, header)
            copy_lines(stream, target)


def csv_records(stream):
    """Yield the cells and the bytes of every CSV record that is not blank; reads no line ahead."""
    taken = []

    def lines():
        for line in iter(stream.readline, b""):
            taken.append(line)
            yield line.decode()

    for cells in csv.reader(lines(), strict=True):
        if cells:
            yield cells, ended(b"".join(taken))
        taken.clear()


def skip_bom(stream) -> None:
    """Move a stream that has just been opened behind its byte order mark, if there is one."""
    if stream.read(len(BOM)) != BOM:
        stream.seek(0)


def csv_header(results) -> bytes:
    """Read the header's bytes from the first result that has one, or b"" when all are empty."""
    for path in results:
        with reading(path) as stream:
            skip_bom(stream)
            for _, line in csv_records(stream):
                return line
    return b""


def read_header(stream, expected):
    """Read the header's cells, or `expected` from an empty result; raise ValueError when both exist and differ."""
    skip_bom(stream)
    header, _ = next(csv_records(stream), (expected, b""))
    if expected is not None and header != expected:
        raise ValueError(f"header {','.join(header)} differs from {','.join(expected)} of earlier results")
    return header


def csv_rows(results, column: str, descending: bool):
    """Yield sort key and bytes of every CSV row."""
    header = None
    for path in results:
        with reading(path) as stream:
            header = read_header(stream, header)
            if header is not None and column not in header:
                raise ValueError(f"parameter sort_by: there is no column {column} in {','.join(header)}")
            for cells, line in csv_records(stream):
                place = header.index(column)
                text = cells[place] if place < len(cells) else ""
                yield rank(float(text) if NUMBER.fullmatch(text) else text, descending), line


def text_rows(results, sort_by: str, _descending: bool):
    """Yield every line as its own sort key."""
    if sort_by != "line":
        raise ValueError(f'parameter sort_by must be "line" in mode text, got {json.dumps(sort_by)}')
    for path in results:
        with path.open("rb") as stream:
            yield from ((line, line) for line in map(ended, stream))


def json_value(row, key: str):
    """Find `key` in a JSON object, or follow its dots into inner objects; None when it is not there."""
    if isinstance(row, dict) and key in row:
        return row[key]
    for part in key.split("."):
        row = row.get(part) if isinstance(row, dict) else None
    return row


def refuse_constant(name: str):
    """Refuse NaN and Infinity, which JSON doesn't have and which can't be ordered."""
    raise ValueError(f"{name} is not JSON")


def jsonl_rows(results, key: str, descending: bool):
    """Yield sort key and bytes of every JSON line."""
    for path in results:
        with reading(path) as stream:
            for number, line in enumerate(stream, start=1):
                if not line.strip():
                    continue
                try:
                    row = json.loads(line, parse_constant=refuse_constant)
                except ValueError as error:
                    raise ValueError(f"line {number}: {error}") from error
                yield rank(json_value(row, key), descending), ended(line)


JOIN = {"text": join_text, "jsonl": join_jsonl, "csv": join_csv}
KEYED = {"text": text_rows, "jsonl": jsonl_rows, "csv": csv_rows}
