"""A copy of this worker's own Python that starts anywhere: for images that hold no interpreter, not even a libc.

It is the interpreter, its ELF loader, every shared object that it maps once the agent's modules are imported, and
those modules' files: found by asking such a process, copied into a tree that the interpreter recognises as its home.
"""

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from pydantic import BaseModel, ConfigDict

from gridloom.errors import RunnerFailed

ASKED_WITHIN_S = 60.0
AT_BASE = 7  #: of the auxiliary vector: where the loader is mapped; 0 in a static program
EXTRA = ("runpy", "traceback", "encodings.utf_8", "encodings.ascii", "encodings.latin_1")
ASK = f"""
import importlib, json, os, struct, sys
above, package, *modules = sys.argv[1:]
sys.path.insert(0, above)
for name in modules:
    importlib.import_module(name)
with open("/proc/self/maps") as lines:
    maps = [line.split(None, 5) for line in lines]
with open("/proc/self/auxv", "rb") as file:
    base = dict(struct.iter_unpack("@LL", file.read())).get({AT_BASE}, 0)
shared = {{it[5].strip(): int(it[0].split("-")[0], 16) for it in reversed(maps) if len(it) > 5 and it[5][0] == "/"}}
files = [getattr(it, "__file__", None) for name, it in sys.modules.items() if name.split(".")[0] != package]
print(json.dumps({{
    "program": os.path.realpath(sys.executable),
    "loader": next((path for path, start in shared.items() if base and start == base), None),
    "mapped": [path for path in shared if ".so" in os.path.basename(path)],
    "library": os.path.dirname(os.path.realpath(os.__file__)),
    "modules": [os.path.abspath(it) for it in files if it],
    "platform": sys.platlibdir,
    "version": "%d.%d" % sys.version_info[:2],
}}))
"""


class Parts(BaseModel):
    """What an interpreter consists of, as it says itself: paths on this machine."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    program: Path
    loader: Path | None
    mapped: tuple[Path, ...]
    library: Path
    modules: tuple[Path, ...]
    platform: str
    version: str

    @property
    def home(self) -> Path:
        """Return where the library lies in the copy, relative to its folder."""
        return Path(self.platform, f"python{self.version}")

    @classmethod
    def of(cls, python: str, agent: Path) -> Self:
        """Ask an interpreter that has imported the agent's modules.

        Raises:
            RunnerFailed: when it can't tell.
        """
        own = [f"{agent.name}.{it.stem}" for it in sorted(agent.glob("*.py")) if it.stem != "__main__"]
        argv = [python, "-I", "-S", "-c", ASK, str(agent.parent), agent.name, *EXTRA, *own]
        asked = subprocess.run(argv, capture_output=True, check=False, timeout=ASKED_WITHIN_S)
        if asked.returncode:
            last = asked.stderr.decode("utf-8", "replace").strip().rpartition("\n")[2]
            raise RunnerFailed(f"{python} can't be copied for images without Python: {last}")
        return cls.model_validate_json(asked.stdout)


@dataclass(frozen=True, slots=True, kw_only=True)
class PortablePython:
    """The copy: its folder on this machine, and what starts it, relative to that folder."""

    folder: Path
    program: str
    loader: str

    def argv(self, mounted: str) -> tuple[str, ...]:
        """Return the start of a command line, for the folder shown at that path."""
        program = (f"{mounted}/{self.program}", "-I", "-S", "-X", "utf8")
        return (
            (f"{mounted}/{self.loader}", "--library-path", f"{mounted}/lib", *program)
            if self.loader
            else program
        )


def build(folder: Path, python: str, agent: Path) -> PortablePython:
    """Copy an interpreter, as far as the agent needs it, into a folder that every user may read.

    Raises:
        RunnerFailed: when it can't be copied.
    """
    try:
        parts = Parts.of(python, agent)
        shutil.rmtree(folder, ignore_errors=True)
        program = Path("bin", f"python{parts.version}")
        _copy(parts.program, folder / program)
        for source in {*parts.modules, *parts.mapped}:
            _copy(source, folder / _place(source, parts))
        for source in parts.mapped:
            _link(source, folder / "lib")
        home = folder / parts.home
        (home / "lib-dynload").mkdir(exist_ok=True)  # by which the interpreter knows its home
        _compile(python, home)
        for path in (folder, *folder.rglob("*")):
            path.chmod(0o755 if path.is_dir() or os.access(path, os.X_OK) else 0o644)
    except (OSError, ValueError, subprocess.SubprocessError) as error:
        raise RunnerFailed(f"{python} can't be copied for images without Python: {error}") from error
    loader = "" if parts.loader is None else f"lib/{parts.loader.name}"
    return PortablePython(folder=folder, program=str(program), loader=loader)


def _place(source: Path, parts: Parts) -> Path:
    """Return where a file goes: a module to its place in the library, a shared object beside the others."""
    for path in (source, source.resolve()):
        if path.is_relative_to(parts.library):
            return parts.home / path.relative_to(parts.library)
    is_module = source.suffix == ".py" or ".cpython-" in source.name
    return (parts.home / "lib-dynload" if is_module else Path("lib")) / source.name


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, target)
    target.chmod(0o700 if os.access(source, os.X_OK) else 0o600)


def _link(source: Path, libraries: Path) -> None:
    """Give a shared object the other names it has where it lies: it is mapped under one and looked up by another."""
    if not (libraries / source.name).exists():
        return
    for other in source.parent.glob(f"{source.name.partition('.so')[0]}.so*"):
        if other.is_symlink() and other.resolve() == source and not (libraries / other.name).exists():
            (libraries / other.name).symlink_to(source.name)


def _compile(python: str, home: Path) -> None:
    """Compile the modules once, so that not every start has to; their times need not match then."""
    argv = [python, "-I", "-m", "compileall", "-q", "--invalidation-mode", "unchecked-hash", str(home)]
    subprocess.run(argv, check=True, capture_output=True, timeout=ASKED_WITHIN_S)
