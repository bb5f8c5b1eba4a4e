"""Warm at submission: when a job is announced, its images and first slots are had before its first task comes."""

from collections.abc import Callable, Iterable
from queue import Full, Queue
from threading import Event, Thread

import structlog

from gridloom.devices import Capacity
from gridloom.errors import GridloomError
from gridloom.states import Stage
from gridloom.wire import Wanted, WarmReply, WarmRequest
from worker.pool.bundle_slot import NOBODY, app_of, slot_key
from worker.pool.warm_pool import WarmPool
from worker.runners.protocol import ImageWanted, Runner

log = structlog.get_logger()

THREADS = 2  # as many as images are pulled at once
WAITING_MAX = 100
APP_SLOTS = 2

Ask = Callable[[WarmRequest], WarmReply]


class Warming:
    """Hears of jobs and warms for them in threads of its own; what it can't keep up with is left to the claims."""

    def __init__(
        self,
        announced: Callable[[], Iterable[str]],
        ask: Ask,
        runner: Runner,
        pool: WarmPool,
        capacity: Capacity,
    ) -> None:
        self._announced = announced
        self._ask, self._runner, self._pool, self._capacity = ask, runner, pool, capacity
        self._jobs: Queue[str] = Queue(WAITING_MAX)
        self._stopped = Event()
        targets = (self._listen, *[self._work] * THREADS)
        self._threads = [Thread(target=it, name="warming", daemon=True) for it in targets]

    def start(self) -> None:
        """Start the threads."""
        for thread in self._threads:
            thread.start()

    def hear(self, job_id: str) -> None:
        """Note that a job was submitted; never waits."""
        if job_id and not self._stopped.is_set():
            try:
                self._jobs.put_nowait(job_id)
            except Full:
                log.info("warming_skipped", job=job_id)

    def stop(self) -> None:
        """Warm no more; the threads end with the process."""
        self._stopped.set()

    def warm(self, job_id: str) -> None:
        """Have what the job's stages will want."""
        if self._stopped.is_set():
            return
        try:
            for stage in self._ask(WarmRequest(job_id=job_id)).stages:
                if self._capacity.holds(stage.needs):
                    self._expect(job_id, stage)
        except GridloomError as error:
            log.info("not_warmed", job=job_id, error=error.message)

    def _expect(self, job_id: str, wanted: Wanted) -> None:
        component = wanted.component
        request = ImageWanted(
            reference=component.image,
            owner=wanted.owner_id or NOBODY,
            login=wanted.login,
            pin=wanted.image_pin,
        )
        image = self._runner.have_image(request, lambda: not self._stopped.is_set()).digest
        key = slot_key(wanted.owner_id, component, wanted.needs, image=image, job_id=job_id)
        self._pool.expect(key, app_of(component), APP_SLOTS if wanted.stage is Stage.APP else 1)

    def _listen(self) -> None:
        for job_id in self._announced():
            self.hear(job_id)

    def _work(self) -> None:
        while not self._stopped.is_set():
            job_id = self._jobs.get()
            try:
                self.warm(job_id)
            except Exception:
                log.exception("warming_broke", job=job_id)
