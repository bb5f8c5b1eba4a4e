"""The tree that a page of files makes."""

from api.source_trees import tree_of
from storage.buckets.objects import ObjectInfo
from storage.probing import Files


def page(*keys, base="in/", folders=()):
    files = tuple(ObjectInfo(key=it, size=1, etag="") for it in keys)
    return Files(base=base, folders=folders, files=files)


def test_keys_become_folders_and_files_whatever_their_names():
    tree = tree_of(page("in/a", "in//b", "in/x/../c", "in/x/y/d", folders=("in/empty/",)))
    assert [it.name for it in tree.files] == ["a"]
    found = {it.name: it for it in tree.directories}
    assert set(found) == {"empty", "", "x"}
    assert found[""].files[0].path == "in//b"
    assert [(it.name, it.path) for it in found["x"].directories] == [("..", "in/x/../"), ("y", "in/x/y/")]


def test_a_tree_is_never_deeper_than_readers_bear():
    tree = tree_of(page("in/" + "a/" * 500 + "b"))
    depth, text = 0, tree.model_dump_json()
    while tree.directories:
        [tree], depth = tree.directories, depth + 1
    [file] = tree.files
    assert depth == 48
    assert file.name == "a/" * 452 + "b"
    assert text.count('"directories"') == 49
