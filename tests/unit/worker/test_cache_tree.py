import hashlib
import os
import stat

import pytest

from gridloom.errors import StoreUnavailable
from worker.cache_tree import CacheTree


@pytest.fixture
def top(tmp_path):
    folder = tmp_path / "cache"
    folder.mkdir()
    return folder


@pytest.fixture
def tree(top):
    tree = CacheTree(top, "w")
    yield tree
    tree.close()


@pytest.fixture
def outside(tmp_path):
    """Return a folder that a link leads to and that must stay as it is."""
    folder = tmp_path / "outside"
    folder.mkdir()
    (folder / "a").write_text("untouched")
    yield folder
    assert [it.name for it in folder.iterdir()] == ["a"]
    assert (folder / "a").read_text() == "untouched"


def put(tree, path, data=b"data"):
    tree.put(path, (data[:2], data[2:]), hashlib.sha256(data).hexdigest())


def test_a_file_is_put_with_its_folders_and_all_may_read_it(tree, top):
    put(tree, "a/b/c")
    put(tree, "a/b/c", b"newer")
    assert (top / "a/b/c").read_bytes() == b"newer"
    assert stat.S_IMODE((top / "a/b/c").stat().st_mode) == 0o644
    assert [it.name for it in top.iterdir()] == ["a"]
    assert tree.has("a/b/c", 5)
    assert not tree.has("a/b/c", 4)
    assert not tree.has("a/b", 5)
    assert not tree.has("x/y", 5)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_what_is_put_belongs_to_whom_the_folder_belongs_to(top):
    os.chown(top, 65534, 65534)
    tree = CacheTree(top, "w")
    put(tree, "a/b")
    tree.close()
    assert {(top / it).stat().st_uid for it in ("a", "a/b")} == {65534}


def test_links_are_replaced_and_never_followed(tree, top, outside):
    (top / "folder").symlink_to(outside)
    (top / "file").symlink_to(outside / "a")
    (top / ".gridloom-w").symlink_to(outside / "a")
    assert not tree.has("folder/a", 9)
    assert not tree.has("file", 9)
    tree.remove("folder/a")
    put(tree, "folder/a")
    put(tree, "file")
    assert (top / "folder/a").read_bytes() == (top / "file").read_bytes() == b"data"
    assert not (top / "folder").is_symlink()


def test_a_link_in_place_of_the_cache_is_not_opened(top, outside):
    (top / "owner").symlink_to(outside)
    with pytest.raises(OSError, match="owner"):
        CacheTree(top / "owner", "w")


def test_a_removed_link_takes_nothing_with_it(tree, top, outside):
    (top / "file").symlink_to(outside / "a")
    tree.remove("file")
    assert list(top.iterdir()) == []


def test_removing_leaves_folders_that_hold_something(tree, top):
    put(tree, "a/b/c")
    put(tree, "a/d")
    tree.remove("a/b/c")
    tree.remove("a/b/c")
    assert sorted(it.relative_to(top).as_posix() for it in top.rglob("*")) == ["a", "a/d"]


def test_a_file_in_the_way_makes_room_but_a_folder_does_not(tree, top):
    (top / "a").write_text("a task's own")
    put(tree, "a/b")
    (top / "c/d").mkdir(parents=True)
    with pytest.raises(IsADirectoryError):
        put(tree, "c")
    assert sorted(it.name for it in top.iterdir()) == ["a", "c"]


def test_bytes_that_are_not_what_was_promised_are_not_put(tree, top):
    with pytest.raises(StoreUnavailable, match="damaged"):
        tree.put("a", (b"x",), "0" * 64)
    assert list(top.iterdir()) == []
