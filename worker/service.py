"""The worker as a whole: what it is made of, how it starts, how it drains and stops."""

import os
import socket
import zlib
from pathlib import Path
from threading import Event, Lock, Thread
from urllib.parse import urlsplit

import celery.worker.state
import structlog

from broker.app import make_app
from broker.hints import HintQueues
from broker.wakeup import Wakeup
from gridloom.devices import Capacity, classes_within
from gridloom.errors import GridloomError
from gridloom.ids import new_uuid
from gridloom.net_guard import PrivateHosts, is_loopback
from gridloom.settings import Settings
from gridloom.sources import SourceSpec
from gridloom.states import EndReason
from gridloom.version import VERSION
from gridloom.wire import RegisterRequest
from storage.blobs import BlobStore
from storage.sources.catalog import fetch_source
from storage.sources.context import Note, Progress, SourceContext
from storage.stores import open_store
from worker.attempt import Fetch, Workshop
from worker.buckets import Buckets
from worker.bundle import Bundles
from worker.cache_sync import CacheSync
from worker.caches import CacheFolders
from worker.committer import Committer
from worker.components import ComponentCache
from worker.control import ControlPlane, for_seconds
from worker.deafness import DeafWatch
from worker.gate import Doorbell, Gate, install_gate, pool_class
from worker.heartbeat import Heartbeat
from worker.inventory import count_cores, measure, memory_mib
from worker.leases import LeaseBook
from worker.ledger import Ledger
from worker.live_logs import LiveLogs
from worker.pool.learning import Learned
from worker.pool.metrics import Metrics
from worker.pool.warm_pool import WarmPool
from worker.pool.warming import Warming
from worker.runners.choose import choose_runner
from worker.runners.protocol import Grounds, Runner
from worker.scratch import Scratch
from worker.tasks import install_task
from worker.unsent_logs import UnsentLogs

log = structlog.get_logger()

_KILL_S = 0.5
_COMMIT_S = 0.4
_LOGS_S = 0.2
_EXIT_S = 0.5
_WARM_S = 5.0
_POOL_SHARE = 0.25  # of the memory, for idle slots


class WorkerService:
    """One worker process."""

    def __init__(self, settings: Settings) -> None:
        """Take the scratch folder and choose the runner.

        Raises:
            SetupFailed: when the worker can't run like this.
        """
        self._settings = settings
        self.slots = settings.slots or count_cores()
        self._scratch = Scratch(settings.scratch_dir)
        store, caches = open_store(settings), _caches(settings, self._scratch)
        self._runner, warning = choose_runner(
            settings, _grounds(self._scratch, caches), loopback=_is_local(settings)
        )
        if warning:
            log.warning("runner_chosen", runner=self._runner.capabilities.name, reason=warning)
        capacity = measure(self.slots)
        self._control = ControlPlane(
            settings.control_url,
            settings.join_token.get_secret_value(),
            registration(settings, self._runner, self.slots, capacity),
            connections=self.slots + 8,
        )
        self._book, self._ledger = LeaseBook(), Ledger(capacity)
        unsent = UnsentLogs()
        self._committer = Committer(self._control, self._book, unsent)
        self._live_logs = LiveLogs(self._control, unsent)
        metrics = self._metrics = Metrics()
        self._pool = WarmPool(
            self._runner,
            places=self.slots,
            budget_mib=settings.pool_budget_mib or memory_mib() * _POOL_SHARE,
            learned=Learned(self._scratch.root / "imports.json"),
            metrics=metrics,
        )
        self._buckets = _buckets(settings)
        shop = Workshop(
            settings=settings,
            control=self._control,
            store=store,
            scratch=self._scratch,
            caches=caches,
            cache_sync=CacheSync(caches, store, self._control.cache, self._scratch.root / "cache-notes"),
            live_logs=self._live_logs,
            metrics=metrics,
            fetch=_fetcher(settings, store),
            buckets=self._buckets,
        )
        components = ComponentCache(self._scratch.components, store)
        self._bundles = Bundles(
            shop, self._ledger, self._book, self._committer, components, self._runner, self._pool
        )
        self._warming = Warming(
            Wakeup(settings.broker_url).warms,
            lambda request: self._control.warm(request, for_seconds(_WARM_S)),
            self._runner,
            self._pool,
            capacity,
        )
        self._heartbeat: Heartbeat | None = None
        self._draining, self._drain_lock, self._stopped = False, Lock(), Event()

    def run(self) -> int:
        """Register, consume hints until drained, return the exit code.

        Raises:
            GridloomError: when the control plane refuses the worker.
        """
        try:
            reply = self._control.register(lambda: True)
        except GridloomError:
            if self._draining:
                return 0
            raise
        self._heartbeat = Heartbeat(
            self._control,
            self._book,
            reply.lease_s,
            free=self._ledger.free,
            metrics=self._metrics.text,
            cancels=Wakeup(self._settings.broker_url).cancels,
            job_over=self._pool.job_over,
        )
        queues = HintQueues(self._settings.broker_url)
        ears = DeafWatch(self._wanted_queues, queues.depths, lambda: self._bundles.heard, self.stop)
        for part in (self._heartbeat, self._committer, self._live_logs, self._pool, self._warming, ears):
            part.start()
        code = self._consume()
        self._stopped.set()
        return code

    def stop(self) -> None:
        """Begin to drain, in a thread of its own; safe to call from a signal handler and more than once."""
        Thread(target=self._drain, name="drain", daemon=True).start()

    def _consume(self) -> int:
        app = make_app(self._settings.broker_url)
        install_task(app, self._bundles)
        bell = Doorbell()
        install_gate(app, Gate(self._wanted_queues), bell)
        controller = app.WorkController(
            pool_cls=pool_class(bell.ring),
            concurrency=self.slots,
            # The gate alone joins queues; Celery's own default queue is none of ours.
            exclude_queues=[app.conf.task_default_queue],
            without_gossip=True,
            without_mingle=True,
            without_heartbeat=True,
            ready_callback=lambda _consumer: self._announce(),
        )
        controller.start()
        app.close()
        return int(controller.exitcode or 0)

    def _announce(self) -> None:
        capabilities = self._runner.capabilities
        log.info("worker_ready", runner=capabilities.name, isolation=capabilities.isolation, slots=self.slots)

    def _wanted_queues(self) -> set[str] | None:
        if self._draining or not self._scratch.has_room():
            return set()
        if self._bundles.active >= self.slots:
            return None
        return {it.queue for it in classes_within(self._ledger.free())}

    def _drain(self) -> None:
        with self._drain_lock:
            if self._draining:
                return
            self._draining = True
        log.info("worker_draining", bundles=self._bundles.active)
        self._bundles.drain()
        if not self._bundles.wait_idle(self._settings.drain_s):
            self._book.end_all(EndReason.WORKER_STOPPED)
            self._bundles.wait_idle(_KILL_S)
        if self._heartbeat is not None:
            self._live_logs.stop(_LOGS_S)
            self._committer.stop(_COMMIT_S)
            self._heartbeat.stop(_EXIT_S)
        self._control.stopping.set()
        self._warming.stop()
        self._pool.close()
        self._runner.close()
        self._buckets.close()
        log.info("worker_stopped")
        celery.worker.state.should_stop = 0
        # Celery may be waiting for its broker, which need not be there any more.
        if self._heartbeat is not None and not self._stopped.wait(_EXIT_S):
            os._exit(0)


def registration(settings: Settings, runner: Runner, slots: int, capacity: Capacity) -> RegisterRequest:
    """Return how this worker announces itself."""
    host = socket.gethostname()
    folder = zlib.crc32(str(settings.scratch_dir.absolute()).encode())
    return RegisterRequest(
        name=settings.worker_name or f"{host}-{folder:08x}",
        incarnation=new_uuid(),
        version=VERSION,
        host=host,
        runner=runner.capabilities.name,
        isolation=runner.capabilities.isolation,
        slots=slots,
        capacity=capacity,
    )


def _is_local(settings: Settings) -> bool:
    """Tell whether only this machine can reach the fabric, and so give it code to run."""
    return is_loopback(settings.host) and is_loopback(urlsplit(settings.control_url).hostname or "")


def _grounds(scratch: Scratch, caches: CacheFolders) -> Grounds:
    return Grounds(
        slots=scratch.runs,
        components=scratch.components,
        shared_cache=caches.shared,
        user_caches=caches.users,
    )


def _caches(settings: Settings, scratch: Scratch) -> CacheFolders:
    return CacheFolders(
        shared=settings.shared_cache_dir or scratch.caches / "shared",
        users=settings.user_cache_dir or scratch.caches / "users",
    )


def _buckets(settings: Settings) -> Buckets:
    return Buckets(PrivateHosts.parse(settings.allow_private_hosts), transfers=settings.transfers)


def _fetcher(settings: Settings, store: BlobStore) -> Fetch:
    allow = PrivateHosts.parse(settings.allow_private_hosts)

    def fetch(spec: SourceSpec, into: Path, progress: Progress, note: Note) -> None:
        context = SourceContext(
            store=store,
            limit_bytes=settings.max_upload_mib * 1024 * 1024,
            limit_files=settings.max_chunks,
            transfers=settings.transfers,
            allow=allow,
            on_progress=progress,
            note=note,
        )
        fetch_source(spec, into, context)

    return fetch
