"""The runner that runs nothing: scripts are simulated, so that all around them can be tried without a process.

A step reads the member `mock` of its parameters (`PARTITIONER_PARAMS`, `APP_PARAMS` or `ASSEMBLER_PARAMS`):

    {"mock": {"run_for_s": 0.5,              how long the script takes; a kill or the timeout ends it
              "stdout": "hello\n",           what it prints
              "stderr": "",
              "exit_code": 3,                how it ends ...
              "end_reason": "out_of_memory", ... or why the runner ended it
              "signal": 11,                by which signal, for a crash
              "modules": ["json"],         what it imports, so that its slot may import it ahead
              "chunks": 100,                 partitioner: writes data_0.bin to data_99.bin into CHUNKS_DIR
              "chunk_bytes": 16,             their size; without it each holds its number
              "result": {"a.txt": "text"}}}  app, assembler: files in TASK_RESULTS_DIR or OUTPUT_DIR

Without the member a partitioner writes one chunk, an app and an assembler `result.txt` with the chunk's number.
"""

import threading
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from itertools import count
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, JsonValue, TypeAdapter, ValidationError

from gridloom.errors import AttemptFailed, RunnerFailed
from gridloom.states import EndReason
from worker.collect import remove_tree
from worker.runners.protocol import (
    Capabilities,
    Ended,
    Execution,
    Grounds,
    ImageHad,
    ImageWanted,
    OutputSink,
    Preloaded,
    Slot,
    SlotFacts,
    SlotKey,
)

PARAMETERS = {
    "PARTITIONER_PARAMS": "CHUNKS_DIR",
    "APP_PARAMS": "TASK_RESULTS_DIR",
    "ASSEMBLER_PARAMS": "OUTPUT_DIR",
}
OBJECT = TypeAdapter(dict[str, JsonValue])
MEMORY_MIB = 16.0


class Play(BaseModel):
    """What a simulated script does."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    run_for_s: float = Field(default=0.0, ge=0)
    stdout: str = ""
    stderr: str = ""
    exit_code: int = Field(default=0, ge=0, le=255)
    end_reason: EndReason | None = None
    signal: int | None = None
    modules: tuple[str, ...] = ()
    chunks: int = Field(default=1, ge=0)
    chunk_bytes: int | None = Field(default=None, ge=0)
    result: dict[str, str] | None = None


class MockSlot:
    """Plays one script at a time."""

    facts = SlotFacts(isolation="none", python="simulated")

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.imported: tuple[str, ...] = ()
        folder.mkdir()
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._running = False
        self._killed: EndReason | None = None
        self._closed = False

    def run(self, execution: Execution, sink: OutputSink) -> Ended:
        """Do what the parameters say.

        Raises:
            AttemptFailed: when they can't be understood.
            RunnerFailed: when the slot is closed.
        """
        play, folder = read_play(execution)
        started_at, timeout_s = datetime.now(UTC), execution.limits.timeout_s
        with self._lock:
            if self._closed:
                raise RunnerFailed("the slot is closed")
            self._running, self._killed = True, None
            self._stop.clear()
        try:
            for stream, text in (("stdout", play.stdout), ("stderr", play.stderr)):
                if text:
                    sink.write(stream, text.encode())
            late = timeout_s is not None and play.run_for_s > timeout_s
            self._stop.wait(timeout_s if late else play.run_for_s)
        finally:
            with self._lock:
                self._running, killed = False, self._killed
        reason = killed or (EndReason.TIMEOUT if late else play.end_reason)
        if reason is None and play.exit_code == 0:
            write_files(execution, play, folder)
        modules = tuple(name for name in play.modules if name not in self.imported)
        return ended(play, reason, started_at, modules)

    def kill(self, reason: EndReason) -> None:
        """End the current run at once; its `run` returns with this reason. Harmless when nothing runs."""
        with self._lock:
            if self._running and self._killed is None:
                self._killed = reason
                self._stop.set()

    def preload(self, modules: Sequence[str]) -> Preloaded:
        """Remember the names, as if they were imported.

        Raises:
            RunnerFailed: when the slot is closed.
        """
        if self._closed:
            raise RunnerFailed("the slot is closed")
        self.imported = (*self.imported, *modules)
        return Preloaded(imported=tuple(modules))

    def memory_mib(self) -> float:
        """Return a little for the slot and for each module; 0 once it is closed."""
        return 0.0 if self._closed else MEMORY_MIB + 0.1 * len(self.imported)

    def close(self) -> None:
        """End the slot and remove its folder; idempotent."""
        self.kill(EndReason.WORKER_STOPPED)
        self._closed = True
        remove_tree(self.folder)


class MockRunner:
    """Opens slots that simulate; see the module's own words for what they read."""

    capabilities = Capabilities(name="mock", isolation="none", memory_by_cgroup=False, simulated=True)

    def __init__(self, grounds: Grounds) -> None:
        self._slots = grounds.slots
        self._numbers = count()

    def have_image(self, wanted: ImageWanted, go_on: Callable[[], bool]) -> ImageHad:  # noqa: ARG002
        """Every image is as good as present."""
        return ImageHad()

    def open_slot(self, key: SlotKey) -> Slot:  # noqa: ARG002 - a simulated slot is the same for all
        """Open a slot."""
        return MockSlot(self._slots / f"mock-{next(self._numbers)}")

    def sweep(self) -> None:
        """Nothing is left behind."""

    def close(self) -> None:
        """Nothing is held."""


def read_play(execution: Execution) -> tuple[Play, Path | None]:
    """Return what to play and the folder to write into.

    Raises:
        AttemptFailed: when the parameters can't be understood.
    """
    for name, folder in PARAMETERS.items():
        if name in execution.env:
            try:
                play = Play.model_validate(OBJECT.validate_json(execution.env[name]).get("mock", {}))
            except ValidationError as error:
                raise AttemptFailed(EndReason.BAD_COMPONENT, f"{name}, member mock: {error}") from error
            place = execution.env.get(folder)
            return play, None if place is None else Path(place)
    return Play(), None


def write_files(execution: Execution, play: Play, folder: Path | None) -> None:
    """Write the chunks or results that the script would have written."""
    if folder is None:
        return
    if "CHUNKS_DIR" in execution.env:
        for index in range(play.chunks):
            content = str(index).encode() if play.chunk_bytes is None else b"x" * play.chunk_bytes
            (folder / f"data_{index}.bin").write_bytes(content)
        return
    default = {"result.txt": execution.env.get("CHUNK_NUMBER", "")}
    for name, text in (default if play.result is None else play.result).items():
        path = folder / name
        if "/" in name:
            path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def ended(play: Play, reason: EndReason | None, started_at: datetime, modules: tuple[str, ...]) -> Ended:
    """Return how the run ended."""
    message, exit_code = "", None
    if reason is not None:
        message = f"simulated: {reason.value.replace('_', ' ')}"
    elif play.exit_code:
        reason, message = EndReason.EXIT_NONZERO, f"exit code {play.exit_code}"
    if reason is None or reason is EndReason.EXIT_NONZERO:
        exit_code = play.exit_code
    return Ended(
        reason=reason,
        exit_code=exit_code,
        signal=play.signal,
        message=message,
        started_at=started_at,
        ended_at=datetime.now(UTC),
        cpu_s=0.0,
        peak_memory_mib=0.0,
        modules=modules,
    )
