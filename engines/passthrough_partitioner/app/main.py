"""Hands every source file on as one chunk."""

import os
import shutil
import sys
from pathlib import Path


def main() -> None:
    sources = sorted(path for path in Path(os.environ["SOURCE_DIR"]).iterdir() if path.is_file())
    for index, source in enumerate(sources):
        shutil.copyfile(source, Path(os.environ["CHUNKS_DIR"], f"data_{index}.bin"))
    print(f"passthrough: {len(sources)} chunks")


if __name__ == "__main__":
    try:
        main()
    except (KeyError, OSError) as error:
        sys.exit(f"passthrough: {type(error).__name__}: {error}")
