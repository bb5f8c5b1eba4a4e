"""What the pool knows of one slot: whose it is, what it has imported, how it is used, why it goes."""

from dataclasses import dataclass
from enum import StrEnum

from gridloom.warmth import Preload
from worker.runners.protocol import Slot, SlotKey


class State(StrEnum):
    """Where a member is in its life."""

    QUEUED = "queued"  # to be opened
    COMING = "coming"  # being opened, or importing
    IDLE = "idle"
    HELD = "held"
    GONE = "gone"


class Reason(StrEnum):
    """Why a slot is closed."""

    TASKS = "tasks"
    AGE = "age"
    MEMORY = "memory"
    OUT_OF_MEMORY = "out_of_memory"
    BROKEN = "broken"
    DEAD = "dead"
    CRASHES = "crashes"
    SINGLE_USE = "single_use"
    JOB_OVER = "job_over"
    IDLE = "idle"
    EVICTED = "evicted"
    STOPPED = "stopped"


@dataclass(frozen=True, slots=True, kw_only=True)
class App:
    """A component as far as its imports go: what one app's slots have imported serves no other."""

    component: str
    preload: Preload = "auto"


@dataclass(slots=True, eq=False, kw_only=True)
class Member:
    """One slot of the pool; all but `slot` and `served` changes only under the pool's lock."""

    key: SlotKey
    state: State
    app: App | None = None  #: whose imports it holds
    user: App | None = None  #: who holds it, or for whose imports it is opened; None while it is anybody's
    promised: bool = False  #: a claim waits for it
    opened: Slot | None = None
    opened_at: float = 0.0
    idle_since: float = 0.0
    cold_s: float = 0.0
    baseline_mib: float = 0.0
    memory_mib: float = 0.0
    claims: int = 0
    served: int = 0
    priority: float = 0.0
    imported: tuple[str, ...] = ()
    asked: tuple[str, ...] = ()  #: what it was last asked to import, as far as that was possible
    spoiled: Reason | None = None

    @property
    def slot(self) -> Slot:
        """The slot, once it is open."""
        if self.opened is None:
            raise RuntimeError("the slot is not open yet")
        return self.opened

    def serves(self, key: SlotKey, app: App) -> bool:
        """Tell whether the app may use it."""
        return self.key == key and self.app in (None, app) and self.spoiled is None
