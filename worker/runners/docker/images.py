"""The images of a machine: found or pulled once for all who wait, kept apart by owner where private, evicted by age.

An image that is here is used as it is: like Docker itself, a tag, `latest` included, is not asked for again, and may
be older than the registry's. What a job's first worker found is pinned by its digest, which every other one must have.
"""

import threading
import time
from collections import Counter as Counts
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from pathlib import Path

import docker
import structlog
from prometheus_client import REGISTRY, CollectorRegistry, Counter, Histogram

from gridloom.errors import AttemptFailed, RunnerFailed
from gridloom.states import EndReason
from worker.runners.docker import image_store as store
from worker.runners.docker.daemon import Opener
from worker.runners.docker.flights import Flights
from worker.runners.docker.image_book import Arrival, ImageBook
from worker.runners.docker.image_store import Image
from worker.runners.docker.pull import confirm, pull
from worker.runners.docker.references import Reference
from worker.runners.protocol import ImageHad, ImageWanted

log = structlog.get_logger(__name__)

_FRESH_S = 30.0  #: how long an image that was found is taken to be still there
_GRACE = timedelta(minutes=1)
_FULL_PERCENT = 90.0
_REMEMBERED = 1024


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
        self._flights = Flights[Image](pulls_at_once)
        self._lock = threading.Lock()
        self._evicting = threading.Lock()
        self._fresh: dict[tuple[str, str], _Found] = {}
        self._known: dict[str, Image] = {}
        self._used = Counts[str]()
        self._unsettled = list(self._book.under_way())

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
            self._settle_all(client)
            found = store.find(client, image)
        if found is not None and self._may_use(found, wanted.owner):
            return self._had(image, wanted.owner, found, 0.0)
        began = time.monotonic()
        found = self._flights.join(
            (image.name, wanted.owner, wanted.login), lambda wait: self._pull(image, wanted, wait), go_on
        )
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
        fresh = _Found(had=ImageHad(digest=digest), image_id=found.id, until=time.monotonic() + _FRESH_S)
        with self._lock:
            self._known[digest] = found
            if len(self._fresh) >= _REMEMBERED:
                self._fresh.clear()
            self._fresh[image.name, owner] = self._fresh[image.at(digest).name, owner] = fresh
        return ImageHad(digest=digest, pulled_s=pulled_s)

    def _pull(self, image: Reference, wanted: ImageWanted, go_on: Callable[[], bool]) -> Image:
        is_private = wanted.login is not None
        log.info("image_pull_started", image=image.name, owner=wanted.owner, private=is_private)
        began = time.monotonic()
        self.evict()
        with closing(self._opener()) as client:
            before = store.repositories_by_id(client)
            arrival = Arrival(
                repository=image.repository,
                before=frozenset(it for it, names in before.items() if image.repository in names),
            )
            if is_private:
                self._book.begin(arrival)
            try:
                pull(client, image, wanted.login, go_on)
            finally:
                if is_private:
                    self._unsettled.append(arrival)
                    self._settle_all(client)
            found = store.find(client, image)
            if found is None:
                raise RunnerFailed(f"image {image.name} is gone right after it was pulled")
            self._prove(client, image, wanted, found, before.get(found.id))
        took_s = time.monotonic() - began
        self._metrics.pulls.observe(took_s)
        log.info("image_pulled", image=image.name, owner=wanted.owner, took_s=round(took_s, 2))
        self.evict()
        return found

    def _prove(
        self,
        client: docker.APIClient,
        image: Reference,
        wanted: ImageWanted,
        found: Image,
        before: frozenset[str] | None,
    ) -> None:
        """Note for which owner an image was pulled, or refuse it to him; `before` are its repositories if it was here.

        For a private one only the word of its own repository counts: any other, such as a user's own, could name its
        layers without having them, since the daemon doesn't fetch layers that it has.
        """
        if not self._may_use(found, wanted.owner):
            if before is not None and image.repository not in before:
                store.remove_name(client, image.name)
                raise AttemptFailed(
                    EndReason.IMAGE_UNAVAILABLE,
                    f"image {image.name} can't be had: it is here from a private repository that was not asked",
                )
            confirm(client, image.at(found.digest_as(image)), wanted.login)
            if wanted.login is None:
                store.mark_public(client, found)
        if before is None or found.is_private or self._book.has(found.id):
            self._book.pulled(found.id, image.name, wanted.owner, found.size_mib)

    def _settle_all(self, client: docker.APIClient) -> None:
        """Mark as private what came with a login; what can't be now, or an earlier life of the worker left, is next time."""
        for arrival in tuple(self._unsettled):
            for image_id, names in store.repositories_by_id(client).items():
                if arrival.repository in names and image_id not in arrival.before:
                    store.mark_private(client, image_id)
            with self._lock:
                if arrival in self._unsettled:
                    self._unsettled.remove(arrival)
                    self._book.settled(arrival)

    def _evict(self, client: docker.APIClient) -> None:
        kept = self._book.kept()
        total_mib = sum(it.size_mib for it in kept.values())
        for image_id, it in kept.items():
            if total_mib <= self._budget_mib and store.disk_used_percent(client) <= _FULL_PERCENT:
                return
            if self._is_wanted(image_id, it.used_at) or not store.remove(client, image_id, it.names):
                continue
            self._book.forget(image_id)
            self._metrics.evictions.inc()
            total_mib -= it.size_mib
            log.info("image_evicted", image=min(it.names), size_mib=round(it.size_mib))

    def _is_wanted(self, image_id: str, used_at: datetime) -> bool:
        """Whether an image is in use or was lately; one that isn't must be looked for again from now on."""
        with self._lock:
            if self._used[image_id] > 0 or datetime.now(UTC) - used_at < _GRACE:
                return True
            self._fresh = {key: it for key, it in self._fresh.items() if it.image_id != image_id}
            return False


@dataclass(frozen=True, slots=True, kw_only=True)
class _Metrics:
    pulls: Histogram
    evictions: Counter


@lru_cache(maxsize=16)
def _metrics_in(registry: CollectorRegistry) -> _Metrics:
    """Return the metrics in a registry, which takes each name only once."""
    return _Metrics(
        pulls=Histogram(
            "gridloom_image_pull_seconds",
            "Time that pulls of images took",
            registry=registry,
            buckets=(0.5, 1, 2, 5, 10, 30, 60, 120, 300, 600, 1800),
        ),
        evictions=Counter("gridloom_image_evictions", "Images removed to make room", registry=registry),
    )
