"""One attempt at one task: what its steps share, and the outcome they leave."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal, Protocol

from gridloom.logs import LogLevel, LogLine
from gridloom.reuse import ReuseNote
from gridloom.settings import Settings
from gridloom.sources import SourceSpec
from gridloom.states import Stage
from gridloom.wire import AttemptResult, Claimed, ResultFile, Spent, Work
from storage.blobs import BlobStore
from storage.sources.context import Note, Progress
from worker.buckets import Buckets
from worker.cache_sync import CacheSync
from worker.caches import CacheFolders
from worker.collect import CollectLimits
from worker.control import ControlPlane
from worker.leases import Lease
from worker.live_logs import LiveLogs
from worker.pool.bundle_slot import BundleSlot
from worker.pool.metrics import Metrics
from worker.reuse import EarlierResults
from worker.runners.protocol import Ended
from worker.scratch import Scratch
from worker.scrub import Scrubber

Phase = Literal["pulled", "claimed", "fetched", "ran", "stored"]
Fetch = Callable[[SourceSpec, Path, Progress, Note], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Workshop:
    """What every attempt of this process works with."""

    settings: Settings
    control: ControlPlane
    store: BlobStore
    scratch: Scratch
    caches: CacheFolders
    cache_sync: CacheSync
    live_logs: LiveLogs
    metrics: Metrics
    fetch: Fetch  #: puts a data source's files into a folder
    buckets: Buckets

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
    slot: BundleSlot
    scrubber: Scrubber = field(
        default_factory=lambda: Scrubber(())
    )  #: of the secrets that the script is given
    code: Path | None  #: folder of the unpacked component; None where no process runs
    inline: bytes = b""
    rest: int = 0  #: tasks that the bundle has after this one
    started_at: datetime
    home: Path | None = None  #: the slot's folder; None where no process runs
    env: dict[str, str] = field(default_factory=dict)
    places: dict[str, Path] = field(default_factory=dict)  #: folders by the variable that names them
    folders: list[Path] = field(default_factory=list)
    phases: dict[Phase, float] = field(default_factory=dict)  #: seconds
    lines: list[LogLine] = field(default_factory=list)
    ended: Ended | None = None
    files: list[ResultFile] = field(default_factory=list)
    payloads: list[bytes] = field(default_factory=list)
    total: int | None = None
    reuse: ReuseNote | None = None  #: whether it took an earlier result, and why
    earlier: EarlierResults | None = None  #: of the bundle, where its job wants them
    trouble: Exception | None = None  #: what a step's own thread ran into while the script ran

    @property
    def label(self) -> str:
        """The attempt's name in folders and messages."""
        lease = self.lease
        return f"{lease.job_id}-{lease.stage}-{lease.chunk}-{lease.attempt}"

    @property
    def folder(self) -> Path:
        """The attempt's own folder, which its first step makes."""
        return (self.home or self.shop.scratch.runs) / self.label

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

    def note(self, text: str) -> None:
        """Add a line of the fabric's own to the log."""
        self.lines.append(LogLine(ts=datetime.now(UTC), stream="fabric", text=text, level=LogLevel.INFO))

    def place(self, variable: str) -> Path:
        """Return the folder that a variable of the script names."""
        return self.places[variable]

    def spent(self) -> Spent:
        """Return where the attempt's time went, and how and where it ran."""
        ended = self.ended
        where = self.slot.spent()
        if self.reuse and self.reuse.hit:
            where = Spent(image=where.image)
        return where.model_copy(
            update={
                **{f"{phase}_s": seconds for phase, seconds in self.phases.items()},
                "received_bytes": ended.received_bytes if ended else None,
                "sent_bytes": ended.sent_bytes if ended else None,
            }
        )

    def wanted(self) -> bool:
        """Whether a call on behalf of the attempt is worth repeating."""
        return self.lease.ended_by is None


class Step(Protocol):
    """One concern of an attempt's life; made anew for each attempt. Its time counts for its phase."""

    phase: Phase

    def prepare(self, attempt: Attempt) -> None:
        """Do the step; AttemptFailed and LeaseLost end the attempt."""

    def cleanup(self, attempt: Attempt) -> None:
        """Undo what must not stay; called in reverse order for every step whose `prepare` was entered."""
