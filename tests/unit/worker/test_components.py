import pytest

from gridloom.archives import pack_component
from gridloom.errors import BadArchive, BlobMissing
from gridloom.wire import ComponentRef
from storage.folder import FolderStore
from worker.components import ComponentCache


@pytest.fixture
def store(tmp_path):
    return FolderStore(tmp_path / "store", durable=False)


@pytest.fixture
def cache(tmp_path, store):
    (tmp_path / "components").mkdir()
    return ComponentCache(tmp_path / "components", store, kept=2)


def component(store, name, text="1", revision=1):
    key = f"components/{name}-{revision}"
    store.put_bytes(key, pack_component({"manifest.json": b"{}", "app/main.py": text.encode()}))
    return ref(name, revision, key)


def ref(name, revision, key):
    return ComponentRef(
        id=name,
        owner_id="o",
        name=name,
        version="1.0",
        revision=revision,
        entrypoint="main.py",
        image="",
        archive_key=key,
        digest="d",
    )


def text_of(folder):
    return (folder / "app/main.py").read_text()


def test_a_component_is_unpacked_once(cache, store):
    one = component(store, "a")
    with cache.use("o", one) as first:
        assert text_of(first) == "1"
    store.delete(one.archive_key)
    with cache.use("o", one) as second:
        assert second == first


def test_a_new_revision_has_a_folder_of_its_own(cache, store):
    with cache.use("o", component(store, "a")) as old, cache.use("o", component(store, "a", "2", 2)) as new:
        assert (text_of(old), text_of(new)) == ("1", "2")


def test_the_one_unused_longest_is_removed_and_none_in_use(cache, store, tmp_path):
    used = [component(store, name) for name in "abcd"]
    with cache.use("o", used[0]) as in_use:
        for one in used[1:]:
            with cache.use("o", one):
                pass
        assert text_of(in_use) == "1"
        assert len(list((tmp_path / "components/o").iterdir())) == 2


def test_a_failed_fetch_is_tried_again(cache, store):
    with pytest.raises(BlobMissing), cache.use("o", ref("a", 1, "components/a-1")):
        pass
    with cache.use("o", component(store, "a")) as folder:
        assert text_of(folder) == "1"


def test_what_is_no_archive_is_refused(cache, store):
    store.put_bytes("components/x", b"no tar")
    with pytest.raises(BadArchive), cache.use("o", ref("x", 1, "components/x")):
        pass


def test_each_owner_of_jobs_has_a_folder_of_its_own(cache, store, tmp_path):
    one = component(store, "a")
    with cache.use("mine", one) as mine, cache.use("", one) as nobodys:
        assert mine.parent == cache.owners_folder("mine") == tmp_path / "components/mine"
        assert nobodys.parent == tmp_path / "components/nobody"
