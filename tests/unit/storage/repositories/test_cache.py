import pytest

from gridloom.errors import BadState, Forbidden
from storage.repositories import cache
from storage.repositories.cache import SHARED


@pytest.fixture
def put(connection):
    def kept(path, scope="ada", size=1, key="k", limit_bytes=100):
        return cache.put(
            connection, scope, path, size=size, sha256="s" * 64, key=key, limit_bytes=limit_bytes
        )

    return kept


def test_a_file_takes_the_place_of_one_of_its_path_alone(put, connection):
    assert put("a/b", key="one") is None
    assert put("a/b", key="two", size=2) == "one"
    assert put("A/b", key="three") is None
    assert put("a/b", scope=SHARED) is None
    found = [(file.path, file.key, file.size) for file in cache.files(connection, "ada")]
    assert found == [("A/b", "three", 1), ("a/b", "two", 2)]


def test_every_change_raises_the_version_of_its_scope(put, connection):
    assert cache.versions(connection, "ada") == (0, 0)
    put("a")
    put("b")
    put("a", scope=SHARED)
    assert cache.versions(connection, "ada") == (2, 1)
    cache.remove(connection, "ada", "a")
    cache.remove(connection, "ada", "nothing")
    assert cache.versions(connection, "ada") == (3, 1)
    assert cache.versions(connection, "bob") == (0, 1)


def test_a_path_is_a_file_or_a_folder(put):
    put("a/b/c")
    for path in ("a", "a/b", "a/b/c/d"):
        with pytest.raises(BadState):
            put(path)
    put("a/b/C")
    put("A")


def test_a_scope_holds_no_more_bytes_and_files_than_it_may(put, connection, monkeypatch):
    put("a", size=60)
    with pytest.raises(Forbidden, match="100 bytes"):
        put("b", size=41)
    put("a", size=100)
    assert cache.room(connection, "ada", "b", 100) == 0
    assert cache.room(connection, "ada", "a", 100) == 100
    monkeypatch.setattr(cache, "MOST_FILES", 1)
    put("a", size=1)
    with pytest.raises(Forbidden, match="1 files"):
        put("b")


def test_a_folder_is_removed_with_all_in_it(put, connection):
    for number, path in enumerate(("a/b", "a/c/d", "ab", "A/b")):
        put(path, key=str(number))
    assert sorted(cache.remove(connection, "ada", "a")) == ["0", "1"]
    assert [file.path for file in cache.files(connection, "ada")] == ["A/b", "ab"]
