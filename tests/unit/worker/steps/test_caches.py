import hashlib
from pathlib import Path

from gridloom.states import EndReason, Stage
from gridloom.wire import CachedFile, CacheReply


def upload(rig, scope, data=b"weights"):
    rig.store.put_bytes(f"cache/{scope}", data)
    file = CachedFile(
        path="models/a", size=len(data), sha256=hashlib.sha256(data).hexdigest(), key=f"cache/{scope}"
    )
    rig.control_plane.caches[scope] = CacheReply(version=1, files=(file,))


def test_a_task_finds_what_was_uploaded_and_the_next_one_asks_nothing(rig):
    for scope in ("owner", "shared"):
        upload(rig, scope)
    rig.set_work(Stage.APP, cache_version=1, shared_cache_version=1)
    for chunk in range(3):
        rig.control_plane.add(Stage.APP, chunk, data=b"")
    seen = []

    def look(execution, slot):
        folders = (Path(execution.env[name]) for name in ("USER_CACHE_DIR", "SHARED_CACHE_DIR"))
        seen.append([(folder / "models/a").read_bytes() for folder in folders])

    rig.runner.before = look
    rig.run(Stage.APP, 0, 1, 2)
    assert seen == [[b"weights"] * 2] * 3
    assert rig.control_plane.calls["cache"] == 2


def test_a_task_without_uploads_asks_nothing(rig):
    rig.set_work(Stage.APP)
    rig.control_plane.add(Stage.APP, 0, data=b"")
    rig.run(Stage.APP, 0)
    assert rig.result().reason is None
    assert rig.control_plane.calls["cache"] == 0


def test_a_missing_upload_costs_the_fabrics_budget(rig):
    upload(rig, "owner")
    rig.store.delete("cache/owner")
    rig.set_work(Stage.APP, cache_version=1)
    rig.control_plane.add(Stage.APP, 0, data=b"")
    rig.run(Stage.APP, 0)
    assert rig.result().reason is EndReason.STORE_UNAVAILABLE
