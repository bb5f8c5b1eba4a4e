"""Joins all task results into one file: text, JSON lines, CSV, or a report of summed counts.

Results are taken in the order of their chunks; with `sort_by`, rows are sorted on disk in bounded memory.
"""

import json
import os
import re
import sys
from fnmatch import fnmatchcase
from pathlib import Path

import counts
import rows
from sorting import sort

MODES = ("text", "jsonl", "csv", "counts")
ENDINGS = {".jsonl": "jsonl", ".ndjson": "jsonl", ".csv": "csv"}
TYPES = {
    "mode": str,
    "output": str,
    "include": str,
    "sort_by": str,
    "descending": bool,
    "separator": str,
    "top": (int, str),
}


def read_params() -> dict:
    """Read and check ASSEMBLER_PARAMS; raise ValueError naming the parameter that can't be used."""
    params = json.loads(os.environ["ASSEMBLER_PARAMS"])
    if not isinstance(params, dict):
        raise ValueError("parameters must be a JSON object")
    for name, value in params.items():
        if name not in TYPES:
            raise ValueError(f"parameter {name} is unknown; known are {', '.join(sorted(TYPES))}")
        if not isinstance(value, TYPES[name]) or (isinstance(value, bool) and TYPES[name] is not bool):
            raise ValueError(f"parameter {name} can't be {json.dumps(value)}")
    if params.get("mode", "text") not in MODES:
        raise ValueError(
            f"parameter mode must be one of {', '.join(MODES)}, got {json.dumps(params['mode'])}"
        )
    if not re.fullmatch(r"[0-9]*[1-9][0-9]*", str(params.get("top", 1))):
        raise ValueError(f"parameter top must be a whole number from 1 up, got {json.dumps(params['top'])}")
    if not re.fullmatch(r"[^/]*[^/.][^/]*", params.get("output", "merged")):
        raise ValueError(f"parameter output must be a plain file name, got {json.dumps(params['output'])}")
    return params


def chunk_order(path: Path) -> tuple:
    """Order names as people count: result, result_1, result_2, result_10."""
    parts = re.split(r"([0-9]+)", path.stem)
    return [int(part) if place % 2 else part for place, part in enumerate(parts)], path.name


def merge_rows(mode: str, results: list, target: Path, params: dict) -> None:
    """Write all rows of `results` to `target`, sorted when `sort_by` is given."""
    with target.open("xb") as stream:
        if "sort_by" not in params:
            rows.JOIN[mode](results, stream, params.get("separator", ""))
            return
        descending = params.get("descending", False)
        if mode == "csv":
            stream.write(rows.csv_header(results))
        keyed = rows.KEYED[mode](results, params["sort_by"], descending)
        stream.writelines(sort(keyed, target.parent, descending=descending))


def main() -> None:
    params = read_params()
    output_dir = Path(os.environ["OUTPUT_DIR"])
    found = (path for path in Path(os.environ["TASK_RESULTS_DIR"]).iterdir() if path.is_file())
    results = sorted(
        (path for path in found if fnmatchcase(path.name, params.get("include", "*"))), key=chunk_order
    )
    if not results:
        print("merge: no result files, nothing to merge")
        return
    mode = params.get("mode") or ENDINGS.get(results[0].suffix.lower(), "text")
    if mode == "counts":
        target = output_dir / params.get("output", "report.txt")
        counts.merge_counts(results, target, int(params.get("top", 20)))
    else:
        target = output_dir / params.get("output", f"merged{results[0].suffix}")
        merge_rows(mode, results, target, params)
    print(f"merge: {len(results)} results as {mode} -> {target.name}, {target.stat().st_size} bytes")


if __name__ == "__main__":
    try:
        main()
    except (KeyError, OSError, ValueError, RecursionError) as error:
        sys.exit(f"merge: {type(error).__name__}: {error}")
