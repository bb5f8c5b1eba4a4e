"""The images of a machine: found or pulled once for all who wait, kept apart by owner where private, evicted by age.

An image that is here is used as it is: like Docker itself, a tag, `latest` included, is not asked for again, and may
be older than the registry's. What a job's first worker found is pinned by its digest, which every other one must have.
"""

import threading
import time
from collections import Counter as Counts
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from pathlib import Path

import docker
import structlog
from prometheus_client import REGISTRY, CollectorRegistry, Counter, Histogram

from gridloom.errors import AttemptFailed, LeaseLost, RunnerFailed
from gridloom.states import EndReason
from gridloom.wire import ImageLogin
from worker.runners.docker import image_store as store
from worker.runners.docker.daemon import Opener
from worker.runners.docker.image_book import Arrival, ImageBook
from worker.runners.docker.image_store import Image
from worker.runners.docker.pull import pull
from worker.runners.docker.references import Reference
from worker.runners.protocol import ImageHad, ImageWanted

log = structlog.get_logger(__name__)

_POLL_S = 0.25
_FRESH_S = 30.0  #: how long an image found is taken to be still there
_REFUSED_S = 30.0  #: how long a registry's refusal is repeated without asking again
_GRACE = timedelta(minutes=1)
_FULL_PERCENT = 90.0
_REMEMBERED = 1024

_Asked = tuple[str, str, ImageLogin | None]  #: image, owner, login


@dataclass(slots=True, kw_only=True)
class _Flight:
    """One pull that several callers wait for."""

    image: Reference
    owner: str
    login: ImageLogin | None
    waiting: int = 0
    landed: threading.Event = field(default_factory=threading.Event)
    found: Image | None = None
    failure: AttemptFailed | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Found:
    """What was found lately, and until when that is believed."""

    had: ImageHad
    image_id: str
    until: float


class Images:
    """Finds, pulls and evicts the images of one daemon; called by any thread.

    `budget_mib` bounds what was pulled, with layers shared by two images counted twice; `book` is a file that survives
    this process, in a folder of this worker's own.
    """

    def __init__(
        self,
        opener: Opener,
        *,
        budget_mib: float,
        book: Path,
        pulls_at_once: int = 2,
        metrics: CollectorRegistry = REGISTRY,
    ) -> None:
        self._opener = opener
        self._budget_mib = budget_mib
        self._book = ImageBook(book)
        self._metrics = _metrics_in(metrics)
        self._gate = threading.BoundedSemaphore(pulls_at_once)
        self._lock = threading.Lock()
        self._evicting = threading.Lock()
        self._flights: dict[_Asked, _Flight] = {}
        self._refusals: dict[_Asked, tuple[float, AttemptFailed]] = {}
        self._fresh: dict[tuple[str, str], _Found] = {}
        self._known: dict[str, Image] = {}
        self._used = Counts[str]()
        self._unsettled = bool(self._book.under_way())

    def have(self, wanted: ImageWanted, go_on: Callable[[], bool]) -> ImageHad:
        """Make sure that an image is here that its owner may use, for as long as `go_on` says so.

        The digest returned is the registry's, or the image's id where it came from none, such as by `docker import`.

        Raises:
            AttemptFailed: when it can't be had (image_unavailable), its name is none (bad_component), the disk is full.
            RunnerFailed: when registry or daemon can't be reached now.
            LeaseLost: when `go_on` said no.
        """
        image = Reference.parse(wanted.reference)
        if wanted.pin:
            image = image.at(wanted.pin)
        fresh = self._fresh.get((image.name, wanted.owner))
        if fresh is not None and time.monotonic() < fresh.until:
            self._book.used(fresh.image_id)
            return fresh.had
        with closing(self._opener()) as client:
            self._settle_once(client)
            found = store.find(client, image)
        if found is not None and self._may_use(found, wanted.owner):
            return self._had(image, wanted.owner, found, 0.0)
        began = time.monotonic()
        found = self._wait_for(_Flight(image=image, owner=wanted.owner, login=wanted.login), go_on)
        return self._had(image, wanted.owner, found, time.monotonic() - began)

    def inspect(self, digest: str) -> Image:
        """Return the image that `have` returned a digest of.

        Raises:
            RunnerFailed: when `have` never did.
        """
        found = self._known.get(digest)
        if found is None:
            raise RunnerFailed(f"image {digest} was never asked for here")
        return found

    def in_use(self, digest: str) -> None:
        """Keep an image from eviction until `release` was called as often.

        Raises:
            RunnerFailed: when `have` never returned this digest.
        """
        image_id = self.inspect(digest).id
        with self._lock:
            self._used[image_id] += 1

    def release(self, digest: str) -> None:
        """Take back one `in_use`."""
        image_id = self.inspect(digest).id
        self._book.used(image_id)
        with self._lock:
            self._used[image_id] -= 1

    def evict(self) -> None:
        """Remove the least recently used images that we pulled while they exceed the budget or the disk is nearly full.

        Images in use or wanted within the last minute stay, and so do those that somebody else gave a name. Never
        raises.
        """
        with self._evicting:
            try:
                with closing(self._opener()) as client:
                    self._evict(client)
            except RunnerFailed as error:
                log.warning("images_not_evicted", error=error.message)

    def _may_use(self, image: Image, owner: str) -> bool:
        """Whether an image that is here is open to an owner: not private, or the owner could pull it himself."""
        if owner in self._book.owners_of(image.id):
            return True
        arriving = any(
            it.repository in image.repositories and image.id not in it.before for it in self._book.under_way()
        )
        return not image.is_private and not arriving

    def _had(self, image: Reference, owner: str, found: Image, pulled_s: float) -> ImageHad:
        digest = found.digest_as(image)
        self._book.used(found.id)
        self._known[digest] = found
        until = time.monotonic() + _FRESH_S
        with self._lock:
            if len(self._fresh) >= _REMEMBERED:
                self._fresh.clear()
            for name in {image.name, image.at(digest).name}:
                self._fresh[name, owner] = _Found(had=ImageHad(digest=digest), image_id=found.id, until=until)
        return ImageHad(digest=digest, pulled_s=pulled_s)

    def _wait_for(self, wanted: _Flight, go_on: Callable[[], bool]) -> Image:
        """Join the pull that is under way for the same image, owner and login, or start one."""
        asked = (wanted.image.name, wanted.owner, wanted.login)
        with self._lock:
            until, refusal = self._refusals.get(asked, (0.0, None))
            if refusal is not None and time.monotonic() < until:
                raise refusal.with_traceback(None)
            flight = self._flights.setdefault(asked, wanted)
            flight.waiting += 1
        if flight is wanted:
            threading.Thread(target=self._fly, args=(asked, flight), name="image-pull", daemon=True).start()
        try:
            while not flight.landed.wait(_POLL_S):
                if not go_on():
                    raise LeaseLost(f"image {wanted.image.name} is not waited for any more")
        finally:
            with self._lock:
                flight.waiting -= 1
        if flight.failure is not None:
            raise flight.failure.with_traceback(None)
        if flight.found is None:
            raise RunnerFailed(f"image {wanted.image.name}: the pull was dropped")
        return flight.found

    def _fly(self, asked: _Asked, flight: _Flight) -> None:
        """Pull for everybody who waits; when all have left, leave off."""
        try:
            with self._gate:
                if self._is_wanted(asked, flight):
                    self._pull(asked, flight)
        except AttemptFailed as error:
            flight.failure = error
            if error.reason is EndReason.IMAGE_UNAVAILABLE:
                self._remember_refusal(asked, error)
        except Exception as error:  # noqa: BLE001 (whoever waits must hear of it)
            log.exception("image_pull_broke", image=flight.image.name)
            flight.failure = RunnerFailed(
                f"image {flight.image.name}: the pull broke: {type(error).__name__}"
            )
        finally:
            with self._lock:
                if self._flights.get(asked) is flight:
                    del self._flights[asked]
            flight.landed.set()

    def _is_wanted(self, asked: _Asked, flight: _Flight) -> bool:
        """Whether anybody waits; once nobody does, the flight takes no more callers."""
        with self._lock:
            if flight.waiting == 0 and self._flights.get(asked) is flight:
                del self._flights[asked]
            return flight.waiting > 0

    def _pull(self, asked: _Asked, flight: _Flight) -> None:
        image, login = flight.image, flight.login
        began = time.monotonic()
        log.info("image_pull_started", image=image.name, owner=flight.owner, private=login is not None)
        self.evict()
        with closing(self._opener()) as client:
            before = store.repositories_by_id(client)
            arrival = Arrival(
                repository=image.repository,
                before=frozenset(it for it, names in before.items() if image.repository in names),
            )
            if login is not None:
                self._book.begin(arrival)
            try:
                pull(client, image, login, lambda: self._is_wanted(asked, flight))
            finally:
                if login is not None:
                    self._settle(client, arrival)
            found = store.find(client, image)
            if found is None:
                if self._is_wanted(asked, flight):
                    raise RunnerFailed(f"image {image.name} is gone right after it was pulled")
                return
            flight.found = self._proven(client, flight, found, before.get(found.id))
        took_s = time.monotonic() - began
        self._metrics.pulls.observe(took_s)
        log.info("image_pulled", image=image.name, owner=flight.owner, took_s=round(took_s, 2))
        self.evict()

    def _proven(
        self, client: docker.APIClient, flight: _Flight, found: Image, before: frozenset[str] | None
    ) -> Image:
        """Take the pull for a proof that the owner may use the image, and return the image.

        For one that was here before as private, only its own repository's word counts: any other, such as a user's
        own, could name its layers without having them, since the daemon doesn't fetch layers that it has.
        """
        name = flight.image.name
        if before is not None and found.is_private and flight.image.repository not in before:
            if not self._may_use(found, flight.owner):
                store.remove_name(client, name)
                raise AttemptFailed(
                    EndReason.IMAGE_UNAVAILABLE,
                    f"image {name} can't be had: the same image is here from a private repository that was not asked",
                )
        elif flight.login is None and found.is_private:
            store.mark_public(client, found)
        if before is None or found.is_private or self._book.has(found.id):
            self._book.pulled(found.id, name, flight.owner, found.size_mib)
        return found

    def _settle_once(self, client: docker.APIClient) -> None:
        """Mark what a private pull brought that an earlier life of this worker did not see the end of."""
        if self._unsettled:
            for arrival in self._book.under_way():
                self._settle(client, arrival)
            self._unsettled = False

    def _settle(self, client: docker.APIClient, arrival: Arrival) -> None:
        for image_id, names in store.repositories_by_id(client).items():
            if arrival.repository in names and image_id not in arrival.before:
                store.mark_private(client, image_id)
        self._book.settled(arrival)

    def _remember_refusal(self, asked: _Asked, refusal: AttemptFailed) -> None:
        now = time.monotonic()
        with self._lock:
            self._refusals = {key: it for key, it in self._refusals.items() if it[0] > now}
            self._refusals[asked] = (now + _REFUSED_S, refusal)

    def _evict(self, client: docker.APIClient) -> None:
        kept = self._book.kept()
        total_mib = sum(it.size_mib for it in kept.values())
        for image_id, it in kept.items():
            if total_mib <= self._budget_mib and store.disk_used_percent(client) <= _FULL_PERCENT:
                return
            with self._lock:
                is_wanted = self._used[image_id] > 0 or datetime.now(UTC) - it.used_at < _GRACE
                if not is_wanted:
                    self._fresh = {
                        key: found for key, found in self._fresh.items() if found.image_id != image_id
                    }
            if is_wanted or not store.remove(client, image_id, it.names):
                continue
            self._book.forget(image_id)
            self._metrics.evictions.inc()
            total_mib -= it.size_mib
            log.info("image_evicted", image=sorted(it.names)[0], size_mib=round(it.size_mib))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Metrics:
    pulls: Histogram
    evictions: Counter


@lru_cache(maxsize=16)
def _metrics_in(registry: CollectorRegistry) -> _Metrics:
    """Return the metrics in a registry, which takes each name once only."""
    return _Metrics(
        pulls=Histogram(
            "gridloom_image_pull_seconds",
            "Time that pulls of images took",
            registry=registry,
            buckets=(0.5, 1, 2, 5, 10, 30, 60, 120, 300, 600, 1800),
        ),
        evictions=Counter("gridloom_image_evictions", "Images removed to make room", registry=registry),
    )
