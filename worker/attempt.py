"""One attempt at one task: what its steps share, and the outcome they leave."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Protocol

from gridloom.logs import LogLine
from gridloom.settings import Settings
from gridloom.sources import SourceSpec
from gridloom.states import Stage
from gridloom.wire import AttemptResult, Claimed, ResultFile, Work
from storage.blobs import BlobStore
from worker.caches import CacheFolders
from worker.collect import CollectLimits
from worker.control import ControlPlane
from worker.leases import Lease
from worker.live_logs import LiveLogs
from worker.runners.protocol import Ended, Folder
from worker.scratch import Scratch
from worker.slots import HeldSlot

Fetch = Callable[[SourceSpec, Path, Callable[[int], None]], object]


@dataclass(frozen=True, slots=True, kw_only=True)
class Workshop:
    """What every attempt of this process works with."""

    settings: Settings
    control: ControlPlane
    store: BlobStore
    scratch: Scratch
    caches: CacheFolders
    live_logs: LiveLogs
    fetch: Fetch  #: puts a data source's files into a folder, calling back now and then

    @property
    def result_limits(self) -> CollectLimits:
        """How much one task may leave."""
        return CollectLimits(
            files=self.settings.max_result_files, total_bytes=self.settings.max_result_mib * 1024 * 1024
        )

    @property
    def source_limits(self) -> CollectLimits:
        """How much a passthrough partitioner may turn into chunks."""
        return CollectLimits(
            files=self.settings.max_chunks, total_bytes=self.settings.max_upload_mib * 1024 * 1024
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """An attempt's end, ready to be committed: `payloads` are the bytes of the result files without a key."""

    lease: Lease
    result: AttemptResult
    payloads: tuple[bytes, ...] = ()
    lines: tuple[LogLine, ...] = ()

    @property
    def size(self) -> int:
        """Bytes that it adds to a commit, roughly."""
        return sum(map(len, self.payloads)) + sum(len(line.text) + 64 for line in self.lines)


@dataclass(slots=True, kw_only=True)
class Attempt:
    """The state of one attempt, from its first step to its last."""

    shop: Workshop
    lease: Lease
    claimed: Claimed
    work: Work
    slot: HeldSlot
    code: Path | None  #: folder of the unpacked component; None where no process runs
    inline: bytes = b""
    started_at: datetime
    env: dict[str, str] = field(default_factory=dict)
    places: dict[str, Path] = field(default_factory=dict)  #: folders by the variable that names them
    folders: list[Folder] = field(default_factory=list)
    lines: list[LogLine] = field(default_factory=list)
    ended: Ended | None = None
    files: list[ResultFile] = field(default_factory=list)
    payloads: list[bytes] = field(default_factory=list)
    total: int | None = None
    trouble: Exception | None = None  #: what a step's own thread ran into while the script ran

    @property
    def label(self) -> str:
        """The attempt's name in folders and messages."""
        lease = self.lease
        return f"{lease.job_id}-{lease.stage}-{lease.chunk}-{lease.attempt}"

    @property
    def folder(self) -> Path:
        """The attempt's own folder, which its first step makes."""
        return self.shop.scratch.runs / self.label

    @property
    def prefix(self) -> str:
        """Where in the object store the attempt may write."""
        lease = self.lease
        place = {
            Stage.APP: f"attempts/{lease.stage}-{lease.chunk}-{lease.attempt}",
            Stage.PARTITION: "chunks",
            Stage.ASSEMBLE: f"output/{lease.attempt}",
        }[lease.stage]
        return f"jobs/{lease.job_id}/{place}"

    def place(self, variable: str) -> Path:
        """Return the folder that a variable of the script names."""
        return self.places[variable]

    def wanted(self) -> bool:
        """Whether a call on behalf of the attempt is worth repeating."""
        return self.lease.ended_by is None


class Step(Protocol):
    """One concern of an attempt's life; made anew for each attempt."""

    def prepare(self, attempt: Attempt) -> None:
        """Do the step; AttemptFailed and LeaseLost end the attempt."""

    def cleanup(self, attempt: Attempt) -> None:
        """Undo what must not stay; called in reverse order for every step whose `prepare` was entered."""
