"""The slot of a bundle: its image, then the claim when the first script needs it, then one task after the other."""

from collections.abc import Callable
from dataclasses import replace

from gridloom.devices import Needs
from gridloom.errors import RunnerFailed
from gridloom.warmth import Isolation
from gridloom.wire import ComponentRef, PinReply, PinRequest, Spent, Work
from worker.leases import Lease
from worker.pool.held import Held
from worker.pool.member import App
from worker.pool.warm_pool import WarmPool
from worker.runners.protocol import Ended, Execution, ImageWanted, OutputSink, Runner, SlotKey

NOBODY = "nobody"

Pin = Callable[[PinRequest, Callable[[], bool]], PinReply]


class BundleSlot:
    """Belongs to one thread; holds at most one slot at a time."""

    def __init__(self, pool: WarmPool, runner: Runner, pin: Pin, work: Work, job_id: str) -> None:
        self._pool, self._runner, self._pin, self._work, self._job_id = pool, runner, pin, work, job_id
        self._app = app_of(work.component)
        self._digest: str | None = None
        self._held: Held | None = None

    def have_image(self, lease: Lease) -> None:
        """Make sure, once, that the component's image is here, under the digest that the job keeps.

        A component that names none gets what the runner has for it, which need not be the same on every machine.

        Raises:
            AttemptFailed: when it can't be had.
            LeaseLost: when the lease ended meanwhile.
        """
        if self._digest is not None:
            return
        work = self._work
        wanted = ImageWanted(
            reference=work.component.image,
            owner=work.owner_id or NOBODY,
            login=work.login,
            pin=work.image_pin,
        )

        def go_on() -> bool:
            return lease.ended_by is None

        digest = self._runner.have_image(wanted, go_on).digest
        if digest and wanted.reference and not work.image_pin:
            request = PinRequest(job_id=self._job_id, image=wanted.reference, digest=digest)
            pin = self._pin(request, go_on).digest
            if pin != digest:
                digest = self._runner.have_image(replace(wanted, pin=pin), go_on).digest
        self._digest = digest

    def take(self, lease: Lease, rest: int) -> Held:
        """Return the slot for the next task, after which the bundle has `rest` more.

        Raises:
            AttemptFailed: when this machine can't give what the work asks for.
            LeaseLost: when the lease ended meanwhile.
            RunnerFailed: when there is none to be had.
        """
        if self._held is None:
            work = self._work
            key = slot_key(
                work.owner_id, work.component, work.needs, image=self._digest or "", job_id=self._job_id
            )
            waiting = work.waiting + (rest if key.isolation is Isolation.STRICT else 0)
            self._held = self._pool.claim(key, self._app, waiting, lambda: lease.ended_by is None)
        else:
            self._held.again()
        return self._held

    def run(self, execution: Execution, sink: OutputSink, lease: Lease) -> Ended:
        """Run a script under a lease, whose loss kills it.

        Raises:
            RunnerFailed: when the slot broke; the next task gets another.
            AttemptFailed: when the script can't be started.
            LeaseLost: when the lease ended before.
        """
        held = self._held
        if held is None:
            raise RunnerFailed("no slot was taken")
        lease.start(held.kill)
        try:
            return held.run(execution, sink)
        finally:
            lease.stop()

    def spent(self) -> Spent:
        """Return how and where the task runs, without its times."""
        held = self._held
        if held is None:
            return Spent(image=self._digest or "")
        facts = held.facts
        return Spent(tier=held.tier, isolation=facts.isolation, image=facts.image, preloaded=held.preloaded)

    def task_done(self) -> None:
        """End a task, whose folders are gone: a slot that can't take another is given back."""
        if self._held is not None and self._held.used_up:
            self.give_back()

    def give_back(self) -> None:
        """End the holding."""
        if self._held is not None:
            held, self._held = self._held, None
            held.give_back()


def slot_key(owner_id: str, component: ComponentRef, needs: Needs, *, image: str, job_id: str) -> SlotKey:
    """Return what a warm slot for this work may be shared by; `image` is a digest."""
    alone = component.has_secrets or component.isolation is Isolation.APP
    return SlotKey(
        owner=owner_id or NOBODY,
        image=image,
        memory_mib=needs.memory_mib,
        cores=needs.cores,
        network=component.network,
        isolation=component.isolation,
        component=component.id if alone else "",
        job=job_id if component.isolation is Isolation.JOB else "",
    )


def app_of(component: ComponentRef) -> App:
    """Return whose imports the component's tasks need."""
    return App(component=component.id, preload=component.preload)
