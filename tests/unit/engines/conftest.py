"""Runs an engine's script as the fabric does: in a process of its own that knows only its environment."""

import importlib.util
import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

ENGINES = Path(__file__).parents[3] / "engines"
#: Input folder, output folder and parameters of each kind of component.
VARIABLES = {
    "partitioner": ("SOURCE_DIR", "CHUNKS_DIR", "PARTITIONER_PARAMS"),
    "app": ("TASK_DIR", "TASK_RESULTS_DIR", "APP_PARAMS"),
    "assembler": ("TASK_RESULTS_DIR", "OUTPUT_DIR", "ASSEMBLER_PARAMS"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    code: int
    stdout: str
    stderr: str
    output: Path

    def files(self) -> dict[str, bytes]:
        """Everything the engine wrote, by path."""
        return {
            path.relative_to(self.output).as_posix(): path.read_bytes()
            for path in self.output.rglob("*")
            if path.is_file()
        }

    def chunks(self) -> list[bytes]:
        """The chunks in the order of their indices; the test fails when there is a gap or an odd name."""
        files = self.files()
        return [files.pop(f"data_{index}.bin") for index in range(len(files))]


RunEngine = Callable[..., Outcome]


@pytest.fixture
def run_engine(tmp_path: Path) -> RunEngine:
    """Run engine `folder` on the files `inputs`; keywords are its parameters, `raw_params` replaces their text."""
    runs = 0

    def run(folder: str, inputs: dict[str, bytes], raw_params: str | None = None, **params: Any) -> Outcome:
        nonlocal runs
        runs += 1
        kind = json.loads((ENGINES / folder / "manifest.json").read_text())["type"]
        given, output = tmp_path / f"{runs}-in", tmp_path / f"{runs}-out"
        given.mkdir()
        output.mkdir()
        for path, data in inputs.items():
            (given / path).parent.mkdir(parents=True, exist_ok=True)
            (given / path).write_bytes(data)
        values = (str(given), str(output), json.dumps(params) if raw_params is None else raw_params)
        done = subprocess.run(
            [sys.executable, "-B", "-W", "error", "main.py"],
            cwd=ENGINES / folder / "app",
            env={"PATH": os.environ["PATH"], **dict(zip(VARIABLES[kind], values, strict=True))},
            capture_output=True,
            text=True,
            check=False,
        )
        return Outcome(code=done.returncode, stdout=done.stdout, stderr=done.stderr, output=output)

    return run


@pytest.fixture(scope="session")
def load_part() -> Callable[[str, str], ModuleType]:
    """Load one module of an engine by folder and name, afresh each time, to try it with small blocks."""

    def load(folder: str, name: str) -> ModuleType:
        spec = importlib.util.spec_from_file_location(
            f"{folder}_{name}", ENGINES / folder / "app" / f"{name}.py"
        )
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module

    return load
