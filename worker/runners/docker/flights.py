"""Joins those who ask for the same thing at the same time, and remembers for a while what was refused.

Each thing is fetched by a thread of its own, few at once; when the last one who waits has left, it is told to stop.
"""

import threading
import time
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

import structlog

from gridloom.errors import AttemptFailed, LeaseLost, RunnerFailed
from gridloom.states import EndReason

log = structlog.get_logger(__name__)

_POLL_S = 0.25
_REFUSED_S = 30.0  #: how long a refusal is repeated without asking again

T = TypeVar("T")
Work = Callable[[Callable[[], bool]], T]  #: is given what tells whether anybody still waits


@dataclass(slots=True, kw_only=True)
class _Flight(Generic[T]):
    waiting: int = 0
    landed: threading.Event = field(default_factory=threading.Event)
    found: T | None = None
    failure: AttemptFailed | None = None


class Flights(Generic[T]):
    """What is under way, by key; called by any thread."""

    def __init__(self, at_once: int) -> None:
        self._gate = threading.BoundedSemaphore(at_once)
        self._lock = threading.Lock()
        self._flights: dict[Hashable, _Flight[T]] = {}
        self._refusals: dict[Hashable, tuple[float, AttemptFailed]] = {}

    def join(self, key: Hashable, work: Work[T], go_on: Callable[[], bool]) -> T:
        """Return what `work` returns, run once for all who ask for `key` meanwhile.

        Raises:
            AttemptFailed: what `work` raised; image_unavailable is raised again for a while without running it.
            LeaseLost: when `go_on` says no.
        """
        with self._lock:
            until, refusal = self._refusals.get(key, (0.0, None))
            if refusal is not None and time.monotonic() < until:
                raise refusal.with_traceback(None)
            flight = self._flights.get(key)
            if flight is None:
                flight = self._flights[key] = _Flight()
                threading.Thread(
                    target=self._fly, args=(key, flight, work), name="image-pull", daemon=True
                ).start()
            flight.waiting += 1
        try:
            while not flight.landed.wait(_POLL_S):
                if not go_on():
                    raise LeaseLost("nobody waits for the image any more")
        finally:
            with self._lock:
                flight.waiting -= 1
        if flight.failure is not None:
            raise flight.failure.with_traceback(None)
        if flight.found is None:
            raise RunnerFailed("the image was waited for and given up at the same time")
        return flight.found

    def _fly(self, key: Hashable, flight: _Flight[T], work: Work[T]) -> None:
        def is_wanted() -> bool:
            """Once nobody waits, the flight takes no more callers."""
            with self._lock:
                if flight.waiting == 0 and self._flights.get(key) is flight:
                    del self._flights[key]
                return flight.waiting > 0

        try:
            with self._gate:
                if is_wanted():
                    flight.found = work(is_wanted)
        except AttemptFailed as error:
            flight.failure = error
        except LeaseLost:
            log.info("image_given_up")
        except Exception as error:
            log.exception("image_flight_broke")
            flight.failure = RunnerFailed(f"the image can't be had: {type(error).__name__}")
        finally:
            self._land(key, flight)

    def _land(self, key: Hashable, flight: _Flight[T]) -> None:
        now = time.monotonic()
        with self._lock:
            if self._flights.get(key) is flight:
                del self._flights[key]
            self._refusals = {refused: it for refused, it in self._refusals.items() if it[0] > now}
            if flight.failure is not None and flight.failure.reason is EndReason.IMAGE_UNAVAILABLE:
                self._refusals[key] = (now + _REFUSED_S, flight.failure)
        flight.landed.set()
