"""A slot's Python beside a plain interpreter, for all that they must do alike."""

import os
import subprocess
import textwrap
from collections.abc import Mapping

import pytest

from tests.fixtures.slots import KEY, Heard, Stage, make_grounds
from worker.collect import remove_tree
from worker.runners.interpreters import base_python
from worker.runners.process import ProcessRunner
from worker.runners.protocol import Execution, Limits


class Twins:
    """Runs the same files in a slot and in an interpreter of their own, and tells both outcomes."""

    def __init__(self, slot) -> None:
        self.slot = slot
        self.folder = slot.folder / "twins"

    def lay(self, files: Mapping[str, str | bytes]) -> None:
        remove_tree(self.folder)
        self.folder.mkdir()
        for name, content in files.items():
            path = self.folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content if isinstance(content, bytes) else textwrap.dedent(content).encode())

    def made(self, files: Mapping[str, str | bytes]) -> dict[str, bytes]:
        paths = [it for it in self.folder.rglob("*") if it.is_file() and "__pycache__" not in it.parts]
        found = {str(it.relative_to(self.folder)): it.read_bytes() for it in paths}
        return {name: data for name, data in found.items() if name not in files}

    def in_slot(self, files: Mapping[str, str | bytes], **env: str):
        self.lay(files)
        heard = Heard()
        ended = self.slot.run(
            Execution(
                label="twin",
                component=self.folder,
                script=self.folder / "main.py",
                env=env,
                folders=(self.folder,),
                limits=Limits(timeout_s=20),
            ),
            heard,
        )
        code = -ended.signal if ended.signal else ended.exit_code
        return code, heard.stdout, heard.stderr, self.made(files)

    def alone(self, files: Mapping[str, str | bytes], **env: str):
        self.lay(files)
        home = self.slot.folder / "tmp"
        home.mkdir()
        given = {"PATH": os.environ["PATH"], "LANG": "C.UTF-8", "OMP_NUM_THREADS": "1"}
        done = subprocess.run(
            [base_python(), str(self.folder / "main.py")],
            cwd=self.folder,
            env={**given, "HOME": str(home), "TMPDIR": str(home), **env},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
            timeout=20,
        )
        remove_tree(home)
        return done.returncode, done.stdout, done.stderr, self.made(files)


@pytest.fixture(scope="module")
def twins(tmp_path_factory):
    slot = ProcessRunner(make_grounds(tmp_path_factory.mktemp("worker"))).open_slot(KEY)
    yield Twins(slot)
    slot.close()


@pytest.fixture
def stage(tmp_path):
    slot = ProcessRunner(make_grounds(tmp_path / "worker")).open_slot(KEY)
    yield Stage(slot)
    slot.close()
