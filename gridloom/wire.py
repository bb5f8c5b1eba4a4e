"""Messages between scheduler, control plane and workers: hints, and the bodies of the workers' API.

Every write names the attempt number it acts under; that number is the fencing token. Bytes travel in a frame's tail
(`gridloom.frames`): an offset without a key counts from the tail's start.
"""

from datetime import datetime

from pydantic import BaseModel, ConfigDict, Field

from gridloom.destinations import DestinationSpec
from gridloom.devices import Capacity, Needs
from gridloom.reuse import ReuseNote
from gridloom.sources import SourceSpec
from gridloom.states import EndReason, Stage
from gridloom.warmth import Isolation, Network, Preload, Tier

INLINE_CHUNK_BYTES = 64 * 1024  #: chunks up to this size travel inside the claim's answer
INLINE_RESULT_BYTES = 256 * 1024  #: results of a task up to this size travel inside the commit
BUNDLE_MAX = 64  #: most chunks in one hint


class Message(BaseModel):
    """Base of all: frozen, and strict about unknown members since both sides are ours."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Hint(Message):
    """What a Celery message says: these tasks may be waiting. It carries no authority."""

    job_id: str
    stage: Stage
    chunks: tuple[int, ...]
    needs: Needs


class RegisterRequest(Message):
    """A worker announces itself; `incarnation` is new at each start, so leases of an earlier one end at once."""

    name: str = Field(min_length=1, max_length=200)
    incarnation: str
    version: str
    host: str
    runner: str
    isolation: str
    slots: int = Field(ge=1)
    capacity: Capacity


class RegisterReply(Message):
    """The worker's own identity; `token` authorises every later call."""

    worker_id: str
    token: str
    lease_s: float


class BlobSpan(Message):
    """Bytes in the object store, or with an `etag` those of an object of the job's source that must still have it."""

    key: str
    offset: int = 0
    size: int
    etag: str | None = None


class ClaimRequest(Message):
    """Ask for the leases of a bundle's tasks."""

    job_id: str
    stage: Stage
    chunks: tuple[int, ...] = Field(max_length=BUNDLE_MAX)


class ImageLogin(Message):
    """A registry's user and access token, for a private image."""

    username: str
    token: str = Field(repr=False)


class ComponentRef(Message):
    """Which code to run: an uploaded component at one revision, and how its manifest wants it kept."""

    id: str
    owner_id: str
    name: str
    version: str
    revision: int
    entrypoint: str
    image: str
    archive_key: str
    digest: str
    network: Network = Network.NONE
    isolation: Isolation = Isolation.TASK
    preload: Preload = "auto"
    has_secrets: bool = False


class Claimed(Message):
    """One task won: its fencing token, and for the app stage the chunk, inline (`offset` into the tail) or stored."""

    chunk: int
    attempt: int
    size: int = 0
    offset: int | None = None
    blob: BlobSpan | None = None


class Work(Message):
    """What is the same for every task of a bundle.

    `env` holds the stage's parameters and secrets by variable, and `secret_names` names those that no log may show.
    `image_pin` is the digest that this job's first worker found under the image's name, "" before there is one.
    `waiting` is the number of the stage's other open tasks. The caches' versions tell whether uploads came or went.
    With `reuse` an earlier result is asked for before a task runs.
    """

    owner_id: str
    component: ComponentRef
    env: dict[str, str] = Field(repr=False)
    secret_names: tuple[str, ...] = ()
    needs: Needs
    timeout_s: float | None = None
    source: SourceSpec | None = None
    destination: DestinationSpec | None = None
    max_chunks: int = 0
    login: ImageLogin | None = None
    image_pin: str = ""
    waiting: int = 0
    cache_version: int = 0
    shared_cache_version: int = 0
    reuse: bool = False


class ClaimReply(Message):
    """The tasks won; `work` is None when there are none."""

    lease_s: float
    work: Work | None = None
    claimed: tuple[Claimed, ...] = ()


class Hold(Message):
    """One lease that a worker believes to hold."""

    job_id: str
    stage: Stage
    chunk: int
    attempt: int
    running_since: datetime | None = None


class HeartbeatRequest(Message):
    """Renew these leases."""

    holds: tuple[Hold, ...]
    free: Capacity
    metrics: str = ""  #: Prometheus text format


class HeartbeatReply(Message):
    """`lost` are no longer the worker's: kill them and drop their results."""

    lease_s: float
    lost: tuple[Hold, ...] = ()


class ReleaseRequest(Message):
    """Hand leases back untouched."""

    holds: tuple[Hold, ...]


class ResultFile(Message):
    """One file that a task left: in the commit's tail, or under a key of the attempt's own."""

    name: str
    size: int
    offset: int = 0
    key: str | None = None


class Spent(Message):
    """Where an attempt's time went, phase by phase in seconds, and how and where it ran.

    `claimed_s` is the wait for a slot, made as `tier` says; `image` is the pinned digest, `isolation` what really
    separated the task from others; bytes on the network are None where there is none to count.
    """

    pulled_s: float = 0.0
    claimed_s: float = 0.0
    fetched_s: float = 0.0
    ran_s: float = 0.0
    stored_s: float = 0.0
    tier: Tier | None = None
    isolation: str = ""
    image: str = ""
    preloaded: int = 0
    received_bytes: int | None = None
    sent_bytes: int | None = None


class AttemptResult(Message):
    """How one attempt ended; `reason` None is success. `total` is the partitioner's number of chunks."""

    chunk: int
    attempt: int
    reason: EndReason | None = None
    exit_code: int | None = None
    message: str = ""
    started_at: datetime | None = None
    ended_at: datetime
    cpu_s: float = 0.0
    peak_memory_mib: float = 0.0
    files: tuple[ResultFile, ...] = ()
    total: int | None = None
    reuse: ReuseNote | None = None
    spent: Spent = Spent()


class LogSegment(Message):
    """Log lines of a range of chunks: at `offset` in the tail `size` bytes of lines, behind them `texts_size` bytes to
    search them by (`gridloom.log_frames`); `levels` is a set of bits, times are microseconds since 1970. One that comes
    again under the same id is not kept twice."""

    id: str = Field(pattern=r"^[0-9a-f-]{36}$")
    first_chunk: int = Field(ge=0)
    last_chunk: int = Field(ge=0)
    lines: int = Field(ge=1)
    levels: int = Field(ge=1)
    first_at: int = Field(ge=0)
    last_at: int = Field(ge=0)
    offset: int = Field(0, ge=0)
    size: int = Field(ge=1)
    texts_size: int = Field(ge=1)


class CommitRequest(Message):
    """Ends of attempts of one stage, and what they printed; the tail becomes one stored object."""

    job_id: str
    stage: Stage
    results: tuple[AttemptResult, ...]
    logs: tuple[LogSegment, ...] = ()


class CommitReply(Message):
    """`dropped` are (chunk, attempt) pairs whose lease was no longer held: their results don't count."""

    dropped: tuple[tuple[int, int], ...] = ()


class LogsRequest(Message):
    """Output of attempts that still run."""

    job_id: str
    stage: Stage
    logs: tuple[LogSegment, ...]


class NewChunk(Message):
    """One finished chunk: in the tail (`key` None), already stored, or with an `etag` an object of the job's source.

    The digest is that of the bytes; for an object of the source, that of its bucket, key, size and ETag.
    """

    index: int = Field(ge=0)
    size: int = Field(ge=0, lt=1 << 63)
    sha256: str
    offset: int = 0
    key: str | None = None
    etag: str | None = Field(None, min_length=1, max_length=200)


class ChunksRequest(Message):
    """Chunks that a running partition attempt has finished."""

    job_id: str
    attempt: int
    chunks: tuple[NewChunk, ...]


class OutputFile(Message):
    """One file of a job's output, stored under the assemble attempt's own prefix."""

    path: str
    size: int
    key: str
    offset: int = 0


class OutputsRequest(Message):
    """Files that a running assemble attempt has stored."""

    job_id: str
    attempt: int
    files: tuple[OutputFile, ...]


class OutputsPage(Message):
    """One page of the output that a job delivers, in the order of paths; with `more` the next follows the last."""

    files: tuple[OutputFile, ...]
    more: bool


class StageRequest(Message):
    """A stage task moves to its next phase: the job's state follows (Uploading → Partitioning)."""

    job_id: str
    stage: Stage
    attempt: int


class TaskResults(Message):
    """Result files of one task, with keys."""

    chunk: int
    files: tuple[ResultFile, ...]


class ResultsPage(Message):
    """One page of a job's results in chunk order; `next_chunk` None is the end."""

    tasks: tuple[TaskResults, ...]
    next_chunk: int | None = None


class PinRequest(Message):
    """Under this digest a worker found the image that a job names."""

    job_id: str
    image: str
    digest: str


class PinReply(Message):
    """The digest that the job keeps: the first one reported."""

    digest: str


class WarmRequest(Message):
    """Ask what a job that was just submitted will run."""

    job_id: str


class Wanted(Message):
    """One stage that will want warm slots; built-in passthrough stages are left out."""

    stage: Stage
    owner_id: str
    component: ComponentRef
    needs: Needs
    login: ImageLogin | None = None
    image_pin: str = ""


class WarmReply(Message):
    """The stages of the job that start processes, in their order."""

    stages: tuple[Wanted, ...]


class CachedFile(Message):
    """A file that was uploaded into a cache, and where its bytes lie."""

    path: str
    size: int
    sha256: str
    key: str


class CacheReply(Message):
    """All files of a cache at one of its versions."""

    version: int
    files: tuple[CachedFile, ...]
