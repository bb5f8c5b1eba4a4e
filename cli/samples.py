"""The files that `app new`, `engine new` and `template new` write."""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from string import Template
from typing import Literal

from gridloom.errors import BadInput

EngineType = Literal["partitioner", "assembler"]
_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")

_APP = '''"""$name: changes the case of a text."""

import json
import os
from pathlib import Path

# One task gets one chunk, always under this name, and leaves its results in a folder of its own.
chunk = Path(os.environ["TASK_DIR"], "data.bin")
results = Path(os.environ["TASK_RESULTS_DIR"])
params = json.loads(os.environ["APP_PARAMS"])

cases = {"upper": str.upper, "lower": str.lower, "title": str.title}
case = params.get("case", "upper")
if case not in cases:
    raise SystemExit(f"case is {case!r}; choose one of {', '.join(cases)}")

text = chunk.read_text(errors="replace")
(results / "${stem}_processed.txt").write_text(cases[case](text))
print(f"{len(text)} characters in {case} case")
'''

_PARTITIONER = '''"""$name: makes one chunk of every so many lines."""

import itertools
import json
import os
from pathlib import Path

source = Path(os.environ["SOURCE_DIR"])
chunks = Path(os.environ["CHUNKS_DIR"])
lines_per_chunk = int(json.loads(os.environ["PARTITIONER_PARAMS"]).get("lines", 1000))

# Every file data_<i>.bin in the folder becomes one task.
index = itertools.count()
for path in sorted(it for it in source.rglob("*") if it.is_file()):
    with path.open("rb") as file:
        while lines := list(itertools.islice(file, lines_per_chunk)):
            (chunks / f"data_{next(index)}.bin").write_bytes(b"".join(lines))
print(f"{next(index)} chunks")
'''

_ASSEMBLER = '''"""$name: joins the results of all tasks into one file."""

import os
import shutil
from pathlib import Path

# The results of all tasks lie side by side in one folder.
results = sorted(it for it in Path(os.environ["TASK_RESULTS_DIR"]).iterdir() if it.is_file())
output = Path(os.environ["OUTPUT_DIR"])

with (output / "$stem.out").open("wb") as joined:
    for path in results:
        with path.open("rb") as part:
            shutil.copyfileobj(part, joined)
print(f"{len(results)} results joined")
'''


def write_app(folder: Path) -> None:
    """Write a sample app with its template.

    Raises:
        BadInput: when the name can't be used or the folder is not empty.
    """
    name = _checked_name(folder)
    manifest = _manifest(name, f"An app named {name}")
    _write(folder, manifest, _filled(_APP, name))
    write_template(folder / "template.json", f"{name}-template", app=name)


def write_engine(folder: Path, kind: EngineType) -> None:
    """Write a sample engine.

    Raises:
        BadInput: when the name can't be used or the folder is not empty.
    """
    name = _checked_name(folder)
    article = "An" if kind == "assembler" else "A"
    manifest = _manifest(name, f"{article} {kind} named {name}", kind)
    _write(folder, manifest, _filled(_PARTITIONER if kind == "partitioner" else _ASSEMBLER, name))


def write_template(file: Path, template_id: str, *, app: str) -> None:
    """Write a template with passthrough on both sides.

    Raises:
        BadInput: when the file exists.
    """
    template = {
        "id": template_id,
        "description": f"A template for {app}",
        "app": app,
        "partitioner": "passthrough",
        "assembler": "passthrough",
    }
    try:
        with file.open("x") as opened:
            opened.write(_json(template))
    except OSError as error:
        raise BadInput(f"can't write {file}: {error.strerror}") from None


def _checked_name(folder: Path) -> str:
    if not _NAME.fullmatch(folder.name):
        raise BadInput(f"{folder.name!r} is not a name: use at most 64 letters, digits, - and _")
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise BadInput(f"{folder} exists and is not an empty folder")
    return folder.name


def _manifest(name: str, description: str, kind: EngineType | None = None) -> dict[str, object]:
    return {
        "name": name,
        "version": "0.1",
        **({"type": kind} if kind else {}),
        "platform": "docker",
        "description": description,
        "entrypoint": "main.py",
        "platform_config": {"container": "python:latest"},
        "device_requirements": {"min_cpu": 2, "min_memory": 2},
    }


def _write(folder: Path, manifest: dict[str, object], script: str) -> None:
    try:
        (folder / "app").mkdir(parents=True)
        (folder / "manifest.json").write_text(_json(manifest))
        (folder / "app/main.py").write_text(script)
    except OSError as error:
        raise BadInput(f"can't write {folder}: {error.strerror}") from None


def _filled(script: str, name: str) -> str:
    return Template(script).substitute(name=name, stem=name.replace("-", "_"))


def _json(document: Mapping[str, object]) -> str:
    return json.dumps(document, indent=2) + "\n"
