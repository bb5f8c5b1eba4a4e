"""Cuts the source into chunks by lines, by size or by file.

A chunk is closed before the next one is opened, so the first can be worked on while the last is still being cut.
"""

import json
import os
import re
import sys
from pathlib import Path

import cuts
import members

UNITS = {"": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30}
KNOWN = {"lines", "size", "files", "on", "header_lines", "unpack"}


def whole_number(params: dict, name: str, least: int = 1) -> int:
    """Take 3, 3.0, "3" and, for the size, "3 MiB"; raise ValueError for anything else or less than `least`."""
    value, unit = params[name], ""
    if isinstance(value, str):
        match = re.fullmatch(r"([0-9]+) ?([KMG]iB)?" if name == "size" else r"([0-9]+)()", value)
        value, unit = (int(match[1]), match[2] or "") if match else (None, "")
    if isinstance(value, bool) or not isinstance(value, (int, float)) or value < least or value % 1:
        raise ValueError(
            f"parameter {name} must be a whole number from {least} up, got {json.dumps(params[name])}"
        )
    return int(value) * UNITS[unit]


def read_params() -> dict:
    """Read and check PARTITIONER_PARAMS; exactly one of lines, size, files is present."""
    params = json.loads(os.environ["PARTITIONER_PARAMS"])
    if not isinstance(params, dict):
        raise ValueError("parameters must be a JSON object")
    if unknown := sorted(params.keys() - KNOWN):
        raise ValueError(f"parameter {unknown[0]} is unknown; known are {', '.join(sorted(KNOWN))}")
    modes = [name for name in ("lines", "size", "files") if name in params]
    if len(modes) != 1:
        raise ValueError(
            f"give exactly one of the parameters lines, size, files; got {' and '.join(modes) or 'none'}"
        )
    if params.get("on", "line") not in ("line", "byte"):
        raise ValueError(f'parameter on must be "line" or "byte", got {json.dumps(params["on"])}')
    if not isinstance(params.get("unpack", False), bool):
        raise ValueError(f"parameter unpack must be true or false, got {json.dumps(params['unpack'])}")
    return params


def split(sources: list, chunks: Path, params: dict) -> int:
    """Cut `sources` into `chunks`; return how many there are."""
    if "files" in params:
        return members.split_files(sources, chunks, whole_number(params, "files"), params.get("unpack"))
    header_lines = whole_number(params, "header_lines", least=0) if "header_lines" in params else 0
    if "lines" in params:
        return cuts.split_lines(sources, chunks, whole_number(params, "lines"), header_lines)
    size, whole = whole_number(params, "size"), params.get("on", "line") == "line"
    return cuts.split_size(sources, chunks, size, header_lines, whole_lines=whole)


def main() -> None:
    params = read_params()
    source_dir = Path(os.environ["SOURCE_DIR"])
    sources = sorted(path for path in source_dir.iterdir() if path.is_file())
    if not sources:
        raise ValueError(f"SOURCE_DIR {source_dir} holds no file")
    count = split(sources, Path(os.environ["CHUNKS_DIR"]), params)
    print(
        f"split: {len(sources)} files, {sum(path.stat().st_size for path in sources)} bytes -> {count} chunks"
    )


if __name__ == "__main__":
    try:
        main()
    except (KeyError, OSError, ValueError, EOFError) as error:
        sys.exit(f"split: {type(error).__name__}: {error}")
