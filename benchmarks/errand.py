"""The scripts that one-task benchmarks run, with their chunk and the proof that they ran."""

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

_LINE = "the quick brown fox jumps over the lazy dog\n"
_READ = """
import os

with open(os.environ["TASK_DIR"] + "/data.bin") as chunk:
    text = chunk.read()
"""
_WRITE = """
with open(os.environ["TASK_RESULTS_DIR"] + "/words.txt", "w") as result:
    result.write(str(words))
print("done")
"""
TRIVIAL = f"{_READ}words = len(text.split())\n{_WRITE}"
PANDAS = f"""
import numpy
import pandas
{_READ}
frame = pandas.DataFrame({{"word": text.split(), "one": numpy.ones(len(text.split()))}})
words = int(frame.groupby("word").one.sum().sum())
{_WRITE}"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Errand:
    """One script in a folder of its own, which counts the words of its chunk."""

    folder: Path

    @classmethod
    def write(cls, folder: Path, code: str, name: str = "main.py") -> "Errand":
        """Write the script."""
        folder.mkdir(parents=True)
        (folder / name).write_text(code)
        return cls(folder=folder)

    @property
    def script(self) -> Path:
        """The script's file."""
        return next(self.folder.glob("main.*"))

    def begin(self, folder: Path) -> Mapping[str, str]:
        """Make a task's folders with the chunk in it; return the script's variables."""
        results = folder / "results"
        results.mkdir(parents=True)
        (folder / "data.bin").write_text(_LINE)
        return {"TASK_DIR": str(folder), "TASK_RESULTS_DIR": str(results)}

    def end(self, folder: Path, printed: bytes) -> None:
        """Read the result.

        Raises:
            RuntimeError: when it is not what the script should have left.
        """
        result = folder / "results" / "words.txt"
        if not result.exists() or int(result.read_text()) != len(_LINE.split()) or b"done" not in printed:
            raise RuntimeError(f"{self.script} went wrong: {printed.decode(errors='replace')}")


def clear(folder: Path) -> None:
    """Remove a task's folder."""
    shutil.rmtree(folder)
