import hashlib
import threading

import pytest

from gridloom.errors import BlobMissing, LeaseLost
from gridloom.wire import CachedFile, CacheReply
from storage.folder import FolderStore
from worker.cache_sync import CacheSync
from worker.caches import CacheFolders


class Fabric:
    """What the control plane and the store say."""

    def __init__(self, root):
        self.store = FolderStore(root / "store", durable=False)
        self.files, self.version, self.looks = {}, 0, []

    def put(self, scope, path, data):
        self.version += 1
        key = f"cache/{self.version}"
        self.store.put_bytes(key, data)
        digest = hashlib.sha256(data).hexdigest()
        file = CachedFile(path=path, size=len(data), sha256=digest, key=key)
        self.files.setdefault(scope, {})[path] = file

    def drop(self, scope, path):
        self.version += 1
        del self.files[scope][path]

    def listing(self, scope, wanted):
        self.looks.append(scope)
        return CacheReply(version=self.version, files=tuple(self.files.get(scope, {}).values()))


@pytest.fixture
def fabric(tmp_path):
    return Fabric(tmp_path)


@pytest.fixture
def folders(tmp_path):
    return CacheFolders(shared=tmp_path / "shared", users=tmp_path / "users")


@pytest.fixture
def start(fabric, folders, tmp_path):
    """Return a function that starts a worker and gives its `bring`."""

    def started(listing=fabric.listing, check=lambda: None):
        sync = CacheSync(folders, fabric.store, listing, tmp_path / "notes")
        return lambda version, shared=0: sync.bring("ada", version, shared, check, lambda: True)

    return started


def names(folder):
    return sorted(it.relative_to(folder).as_posix() for it in folder.rglob("*") if it.is_file())


def test_uploads_come_into_the_owners_and_the_shared_folder(fabric, folders, start):
    fabric.put("ada", "models/a", b"mine")
    fabric.put("bob", "secret", b"not hers")
    fabric.put("shared", "b", b"all's")
    start()(fabric.version, fabric.version)
    assert (folders.users / "ada/models/a").read_bytes() == b"mine"
    assert (folders.shared / "b").read_bytes() == b"all's"
    assert names(folders.users) == ["ada/models/a"]


def test_nothing_is_asked_while_versions_stay_or_nothing_was_ever_uploaded(fabric, start):
    bring = start()
    bring(0)
    assert fabric.looks == []
    fabric.put("ada", "a", b"1")
    for _ in range(3):
        bring(fabric.version)
    assert fabric.looks == ["ada"]


def test_only_what_changed_is_fetched_and_what_was_deleted_goes(fabric, folders, start):
    bring = start()
    for path in ("a", "b", "c/d"):
        fabric.put("ada", path, path.encode())
    bring(fabric.version)
    own = folders.users / "ada"
    (own / "local").write_text("a task's own")
    kept = (own / "a").stat().st_ino
    fabric.put("ada", "b", b"newer")
    fabric.drop("ada", "c/d")
    bring(fabric.version)
    assert ((own / "a").stat().st_ino, (own / "b").read_bytes()) == (kept, b"newer")
    assert names(own) == ["a", "b", "local"]
    assert not (own / "c").exists()


def test_a_worker_that_starts_again_looks_once_and_fetches_only_what_is_missing(fabric, folders, start):
    for path in ("a", "b"):
        fabric.put("ada", path, path.encode())
    start()(fabric.version)
    own = folders.users / "ada"
    kept = (own / "a").stat().st_ino
    (own / "b").unlink()
    start()(fabric.version)
    assert fabric.looks == ["ada", "ada"]
    assert ((own / "a").stat().st_ino, (own / "b").read_bytes()) == (kept, b"b")


def test_a_file_that_was_replaced_after_the_listing_is_looked_up_again(fabric, folders, start):
    fabric.put("ada", "a", b"old")

    def stale_first(scope, wanted):
        reply = fabric.listing(scope, wanted)
        if len(fabric.looks) == 1:
            fabric.store.delete(fabric.files["ada"]["a"].key)
            fabric.put("ada", "a", b"new")
        return reply

    start(stale_first)(1)
    assert (folders.users / "ada/a").read_bytes() == b"new"


def test_a_file_whose_bytes_are_gone_for_good_is_an_error(fabric, start):
    fabric.put("ada", "a", b"old")
    fabric.store.delete("cache/1")
    with pytest.raises(BlobMissing):
        start()(1)


def test_a_lost_lease_stops_it_and_what_came_so_far_counts(fabric, folders, start):
    for path in ("a", "b", "c"):
        fabric.put("ada", path, path.encode())
    calls = []

    def check():
        calls.append(1)
        if len(calls) == 3:
            raise LeaseLost("gone")

    with pytest.raises(LeaseLost):
        start(check=check)(fabric.version)
    assert names(folders.users / "ada") == ["a"]
    start()(fabric.version)
    assert names(folders.users / "ada") == ["a", "b", "c"]


def test_what_a_task_put_in_the_way_costs_that_file_alone(fabric, folders, start):
    (folders.user("ada") / "a/x").mkdir(parents=True)
    for path in ("a", "b"):
        fabric.put("ada", path, path.encode())
    start()(fabric.version)
    assert names(folders.users / "ada") == ["b"]


def test_tasks_that_start_at_once_share_one_look(fabric, start):
    fabric.put("ada", "a", b"x" * 100_000)
    bring = start()
    threads = [threading.Thread(target=bring, args=(fabric.version,)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert fabric.looks == ["ada"]
