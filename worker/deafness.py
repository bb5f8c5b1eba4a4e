"""Notices a consumer that is connected and hears nothing, which no exception tells of.

Consumers of this kind have been seen after a broker came back: alive, subscribed, and never given a message. The
cure is a new process, which the supervisor starts when this one ends.
"""

import time
from collections.abc import Callable, Iterable
from threading import Event, Thread

import structlog

log = structlog.get_logger()

DEAF_S = (
    90.0  #: hints that wait so long in queues of ours while a thread is free; longer than a slow reconnect
)
_LOOK_S = 10.0


class DeafWatch:
    """Compares what waits in our queues with what was heard.

    `wanted` names the queues that the worker could take from now (None: it is busy), `depths` how many hints wait in
    each (None: the broker can't be asked), `heard` how many hints have come so far.
    """

    def __init__(
        self,
        wanted: Callable[[], set[str] | None],
        depths: Callable[[Iterable[str]], dict[str, int] | None],
        heard: Callable[[], int],
        on_deaf: Callable[[], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._wanted, self._depths, self._heard, self._on_deaf = wanted, depths, heard, on_deaf
        self._clock = clock
        self._heard_before = -1
        self._silent_since = clock()

    def start(self) -> None:
        """Look every ten seconds from a thread of its own, which ends with the process."""
        Thread(target=self._run, name="deaf-watch", daemon=True).start()

    def look(self) -> bool:
        """Tell whether the consumer has been deaf for too long."""
        heard = self._heard()
        queues = self._wanted()
        waiting = self._depths(queues) if queues else None
        if heard != self._heard_before or not waiting or not any(waiting.values()):
            self._heard_before = heard
            self._silent_since = self._clock()
            return False
        return self._clock() - self._silent_since >= DEAF_S

    def _run(self) -> None:
        pause = Event()
        while not pause.wait(_LOOK_S):
            if self.look():
                log.error("worker_deaf", waited_s=DEAF_S)
                self._on_deaf()
                return
