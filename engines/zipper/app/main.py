"""Zips all top-level result files into results_archive.zip; writes no archive when there are none."""

import os
import sys
import zipfile
from pathlib import Path


def main() -> None:
    results = sorted(path for path in Path(os.environ["TASK_RESULTS_DIR"]).iterdir() if path.is_file())
    target = Path(os.environ["OUTPUT_DIR"], "results_archive.zip")
    if not results:
        print("zipper: no result files, no archive")
        return
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED, strict_timestamps=False) as archive:
        for path in results:
            archive.write(path, path.name)
    print(f"zipper: {len(results)} files in {target.name}, {target.stat().st_size} bytes")


if __name__ == "__main__":
    try:
        main()
    except (KeyError, OSError) as error:
        sys.exit(f"zipper: {type(error).__name__}: {error}")
