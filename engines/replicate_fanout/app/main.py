"""Copies each source file `num_replicas` times, one chunk each."""

import json
import os
import re
import shutil
import sys
from pathlib import Path

CHUNK = re.compile(r"data_(\d+)\.bin")


def whole_number(name: str, value: object) -> int:
    """Take 3, 3.0 and "3"; raise ValueError for anything else that is not a number from 1 up."""
    if isinstance(value, str) and value.isdecimal():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, (int, float)) or value < 1 or value % 1:
        raise ValueError(f"parameter {name} must be a whole number from 1 up, got {json.dumps(value)}")
    return int(value)


def next_index(chunks: Path) -> int:
    """One more than the highest index of a chunk that already exists, or 0."""
    found = (CHUNK.fullmatch(path.name) for path in chunks.iterdir())
    return max((int(match[1]) for match in found if match), default=-1) + 1


def main() -> None:
    params = json.loads(os.environ["PARTITIONER_PARAMS"])
    if not isinstance(params, dict) or "num_replicas" not in params:
        raise ValueError("parameter num_replicas is required")
    replicas = whole_number("num_replicas", params["num_replicas"])
    chunks = Path(os.environ["CHUNKS_DIR"])
    sources = sorted(path for path in Path(os.environ["SOURCE_DIR"]).iterdir() if path.is_file())
    index = first = next_index(chunks)
    for source in sources:
        for _ in range(replicas):
            shutil.copyfile(source, chunks / f"data_{index}.bin")
            index += 1
    print(f"replicate-fanout: {len(sources)} files x {replicas} = {index - first} chunks")


if __name__ == "__main__":
    try:
        main()
    except (KeyError, OSError, ValueError) as error:
        sys.exit(f"replicate-fanout: {type(error).__name__}: {error}")
