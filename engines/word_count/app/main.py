"""Counts the words and the Python definitions of one chunk of source code."""

import json
import os
import re
import sys
from collections import Counter
from pathlib import Path

BATCH = 1 << 20
FILE = re.compile(r"^# file: ", re.MULTILINE)
WORD = re.compile(r"[^\W\d]\w*")
DEFINITION = re.compile(r"^[ \t]*(?:async[ \t]+def|def|class)[ \t]+([^\W\d]\w*)", re.MULTILINE)


def count(stream) -> dict:
    """Count a text in batches of whole lines."""
    files = lines = 0
    definitions: Counter = Counter()
    words: Counter = Counter()
    while batch := stream.readlines(BATCH):
        text = "".join(batch)
        lines += len(batch)
        files += len(FILE.findall(text))
        definitions.update(DEFINITION.findall(text))
        words.update(WORD.findall(text))
    return {"files": files, "lines": lines, "definitions": definitions, "words": words}


def main() -> None:
    # The standard library's tests hold files in other encodings; their odd bytes only spoil single words.
    with Path(os.environ["TASK_DIR"], "data.bin").open(
        encoding="utf-8", errors="replace", newline="\n"
    ) as stream:
        counts = count(stream)
    target = Path(os.environ["TASK_RESULTS_DIR"], "counts.json")
    target.write_text(json.dumps(counts, ensure_ascii=False), encoding="utf-8")
    print(f"word-count: {counts['lines']} lines, {sum(counts['words'].values())} words")


if __name__ == "__main__":
    try:
        main()
    except (KeyError, OSError) as error:
        sys.exit(f"word-count: {type(error).__name__}: {error}")
