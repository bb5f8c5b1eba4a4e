"""What each app imports, learned from its last three good runs, so that its slots import it ahead of its tasks."""

import json
import sys
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock

import structlog
from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from worker.pool.member import App

log = structlog.get_logger()

NAMES_MAX = 2000
NAME_CHARS = 200
APPS_MAX = 200
CRASHES_MAX = 2
BANNED_S = 3600.0

_RUNS = 0b111  # one bit for each of the last three runs
_ENOUGH = 2

_Key = tuple[str, str]


class Lesson(BaseModel):
    """One app's imports, as kept in the file: `seen` has a bit for each of the last three runs."""

    model_config = ConfigDict(extra="forbid")

    image: str
    component: str
    runs: int
    seen: dict[str, int]
    refused: dict[str, str]


_LESSONS = TypeAdapter(list[Lesson])


@dataclass(slots=True)
class _Known:
    runs: int = 0
    seen: dict[str, int] = field(default_factory=dict)
    refused: dict[str, str] = field(default_factory=dict)
    crashes: int = 0
    banned_until: float = 0.0
    names: tuple[str, ...] | None = None  #: what follows from `seen` and `refused`, once worked out


class Learned:
    """The imports of the apps used last; kept in a file, which may be missing or damaged."""

    def __init__(self, path: Path, clock: Callable[[], float] = time.monotonic) -> None:
        self._path = path
        self._clock = clock
        self._lock = Lock()
        self._changed = False
        self._known: OrderedDict[_Key, _Known] = OrderedDict(
            ((it.image, it.component), _Known(runs=it.runs, seen=_clean(it.seen), refused=it.refused))
            for it in _read(path)[-APPS_MAX:]
        )

    def wanted(self, image: str, app: App) -> tuple[str, ...]:
        """Return what a slot of the app should import, in order, in an image of that digest."""
        if app.preload == "off":
            return ()
        with self._lock:
            known = self._known.get((image, app.component), _Known())
            if known.banned_until > self._clock():
                return ()
            if isinstance(app.preload, tuple):
                return tuple(name for name in _proper(app.preload) if name not in known.refused)
            if known.names is None:
                known.names = tuple(
                    name
                    for name, runs in known.seen.items()
                    if runs.bit_count() >= _ENOUGH and name not in known.refused
                )
            return known.names

    def is_settled(self, image: str, app: App) -> bool:
        """Tell whether it is known what the app imports."""
        if app.preload != "auto":
            return True
        with self._lock:
            known = self._known.get((image, app.component))
            return known is not None and known.runs >= _ENOUGH

    def ran(self, image: str, app: App, ahead: Sequence[str], modules: Sequence[str]) -> None:
        """Learn from a good run, which had some modules imported `ahead` of it and imported others itself."""
        if app.preload == "off":
            return
        with self._lock:
            known = self._entry(image, app)
            if ahead:
                known.crashes = 0
                if known.refused.keys() | ahead >= set(modules):
                    return  # nothing new: the common case, once it is warm
            if app.preload != "auto":
                return
            now = dict.fromkeys(_proper((*ahead, *modules)), 1)
            old = {name: runs << 1 & _RUNS for name, runs in known.seen.items()}
            merged = {name: old.pop(name, 0) | 1 for name in now}
            merged |= {name: runs for name, runs in old.items() if runs}
            if merged == known.seen and known.runs >= _ENOUGH:
                return
            known.seen = dict(list(merged.items())[:NAMES_MAX])
            known.runs, known.names = min(known.runs + 1, _ENOUGH), None
            self._changed = True

    def refuse(self, image: str, app: App, refused: Mapping[str, str]) -> None:
        """Remember modules that can't be imported ahead."""
        if not refused:
            return
        with self._lock:
            known = self._entry(image, app)
            for name in _proper(refused):
                if len(known.refused) < NAMES_MAX:
                    known.refused[name] = refused[name][:NAME_CHARS]
            known.names = None
            self._changed = True

    def crashed(self, image: str, app: App) -> bool:
        """Note that a process with imports made ahead crashed; tells whether that ends them for an hour."""
        with self._lock:
            known = self._entry(image, app)
            known.crashes += 1
            if known.crashes < CRASHES_MAX:
                return False
            known.crashes, known.banned_until = 0, self._clock() + BANNED_S
            return True

    def save(self) -> None:
        """Write what is new to the file."""
        with self._lock:
            if not self._changed:
                return
            self._changed = False
            lessons = [
                {
                    "image": image,
                    "component": component,
                    "runs": it.runs,
                    "seen": dict(it.seen),
                    "refused": dict(it.refused),
                }
                for (image, component), it in self._known.items()
            ]
        try:
            fresh = self._path.with_suffix(".new")
            fresh.write_text(json.dumps(lessons))
            fresh.replace(self._path)
        except OSError as error:
            log.warning("learned_imports_not_saved", error=str(error))

    def _entry(self, image: str, app: App) -> _Known:
        key = (image, app.component)
        known = self._known.setdefault(key, _Known())
        self._known.move_to_end(key)
        while len(self._known) > APPS_MAX:
            self._known.popitem(last=False)
        return known


def _read(path: Path) -> list[Lesson]:
    try:
        return _LESSONS.validate_json(path.read_bytes())
    except FileNotFoundError:
        return []
    except (OSError, ValidationError) as error:
        log.warning("learned_imports_not_read", error=str(error)[:NAME_CHARS])
        return []


def _clean(seen: Mapping[str, int]) -> dict[str, int]:
    return {name: seen[name] & _RUNS for name in _proper(seen)}


def _proper(names: Iterable[str]) -> list[str]:
    """Return the names that can be modules', without the script's own, at most so many; shared between apps."""
    proper = (
        sys.intern(name)
        for name in names
        if len(name) <= NAME_CHARS
        and all(part.isidentifier() for part in name.split("."))
        and not name.startswith("__")
    )
    return list(dict.fromkeys(proper))[:NAMES_MAX]
