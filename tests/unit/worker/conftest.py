"""A worker without Celery: bundles on the mock runner, a folder as store, a control plane in memory."""

import json
from dataclasses import dataclass

import pytest

from gridloom.archives import pack_component
from gridloom.devices import Capacity, Needs
from gridloom.net_guard import PrivateHosts
from gridloom.settings import Settings
from gridloom.states import Stage
from gridloom.wire import ComponentRef, Hint, Work
from storage.folder import FolderStore
from tests.fixtures.control_plane import JOB, FakeControlPlane
from worker.attempt import Workshop
from worker.buckets import Buckets
from worker.bundle import Bundles
from worker.cache_sync import CacheSync
from worker.caches import CacheFolders
from worker.committer import Committer
from worker.components import ComponentCache
from worker.control import ControlPlane
from worker.leases import LeaseBook
from worker.ledger import Ledger
from worker.live_logs import LiveLogs
from worker.pool.learning import Learned
from worker.pool.metrics import Metrics
from worker.pool.warm_pool import WarmPool
from worker.runners.mock import MockRunner
from worker.runners.protocol import Grounds, ImageHad
from worker.scratch import Scratch
from worker.unsent_logs import UnsentLogs

PARAMS = {Stage.PARTITION: "PARTITIONER_PARAMS", Stage.APP: "APP_PARAMS", Stage.ASSEMBLE: "ASSEMBLER_PARAMS"}


class SpyRunner(MockRunner):
    """Remembers what was run."""

    def __init__(self, grounds):
        super().__init__(grounds)
        self.executions = []
        self.keys = []
        self.images = {}  # digests by name
        self.images_wanted = []
        self.before = lambda execution, slot: None

    @property
    def opened(self):
        return len(self.keys)

    def have_image(self, wanted, go_on):
        self.images_wanted.append(wanted)
        return ImageHad(digest=wanted.pin or self.images.get(wanted.reference, ""))

    def open_slot(self, key):
        self.keys.append(key)
        slot = super().open_slot(key)
        plain = slot.run

        def run(execution, sink):
            self.executions.append(execution)
            self.before(execution, slot)
            return plain(execution, sink)

        slot.run = run
        return slot


@dataclass
class Rig:
    control_plane: FakeControlPlane
    control: ControlPlane
    shop: Workshop
    store: FolderStore
    runner: SpyRunner
    ledger: Ledger
    book: LeaseBook
    committer: Committer
    live_logs: LiveLogs
    bundles: Bundles
    pool: WarmPool
    sources: dict[str, bytes]

    def set_work(self, stage, mock=None, *, name="word-count", owner="owner", image="", kept=None, **more):
        params = json.dumps({"mock": mock} if mock is not None else {})
        component = ComponentRef(
            **(kept or {}),
            id="c1",
            owner_id=owner,
            name=name,
            version="1.0",
            revision=3,
            entrypoint="main.py",
            image=image,
            archive_key="components/c1",
            digest="d",
        )
        self.control_plane.work = Work(
            owner_id="owner",
            component=component,
            env={PARAMS[stage]: params},
            needs=Needs(cores=1, memory_mib=256),
            **more,
        )

    def run(self, stage, *chunks):
        taken = self.bundles.run(
            Hint(job_id=JOB, stage=stage, chunks=chunks, needs=Needs(cores=1, memory_mib=256))
        )
        self.committer.stop(10)
        return taken

    def result(self, stage=Stage.APP, chunk=0):
        return self.control_plane.tasks[stage, chunk].result

    def nothing_is_left(self):
        return not list(self.shop.scratch.runs.glob("*/*")) and not self.book.all()


@pytest.fixture
def rig(tmp_path, control_plane):
    store = FolderStore(tmp_path / "store", durable=False)
    store.put_bytes("components/c1", pack_component({"manifest.json": b"{}", "app/main.py": b"print()"}))
    control = control_plane.client()
    scratch = Scratch(tmp_path / "scratch")
    caches = CacheFolders(shared=tmp_path / "shared", users=tmp_path / "users")
    grounds = Grounds(
        slots=scratch.runs,
        components=scratch.components,
        shared_cache=caches.shared,
        user_caches=caches.users,
    )
    book, ledger, runner = LeaseBook(), Ledger(Capacity(cores=2, memory_mib=1024)), SpyRunner(grounds)
    unsent = UnsentLogs()
    committer, live_logs = Committer(control, book, unsent), LiveLogs(control, unsent)
    sources = {"input.txt": b"hello"}

    def fetch(spec, into, progress, note):
        for name, data in sources.items():
            (into / name).write_bytes(data)
            progress(len(data))

    buckets = Buckets(PrivateHosts.parse("127.0.0.1"), transfers=4)
    shop = Workshop(
        settings=Settings(max_chunks=2000, allow_private_hosts="127.0.0.1"),
        control=control,
        store=store,
        scratch=scratch,
        caches=caches,
        cache_sync=CacheSync(caches, store, control.cache, scratch.root / "cache-notes"),
        live_logs=live_logs,
        metrics=Metrics(),
        fetch=fetch,
        buckets=buckets,
    )
    learned = Learned(tmp_path / "imports.json")
    pool = WarmPool(runner, places=2, budget_mib=1000, learned=learned, metrics=shop.metrics)
    components = ComponentCache(scratch.components, store)
    bundles = Bundles(shop, ledger, book, committer, components, runner, pool)
    committer.start()
    yield Rig(
        control_plane=control_plane,
        control=control,
        shop=shop,
        store=store,
        runner=runner,
        ledger=ledger,
        book=book,
        committer=committer,
        live_logs=live_logs,
        bundles=bundles,
        pool=pool,
        sources=sources,
    )
    control.stopping.set()
    committer.stop(10)
    control.close()
    pool.close()
    buckets.close()
    scratch.close()
