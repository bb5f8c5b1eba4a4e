"""Tests of `gridloom cache`."""

import json

CACHE = "/v1/dev/cache"


def test_entries_are_listed(fabric, gridloom):
    entries = [{"path": "models", "isDir": True, "size": "7"}, {"path": "a.bin", "size": "3"}]
    fabric.answers["GET", CACHE] = {"entries": entries, "pagination": {"total": 2}}
    lines = gridloom("cache", "list", "folder")[1].splitlines()
    assert [it.split() for it in lines[1:]] == [["models/", "7"], ["a.bin", "3"]]
    assert "path=folder" in fabric.queries[-1]
    assert json.loads(gridloom("cache", "list", "--json")[1])["entries"] == entries


def test_a_file_is_uploaded(fabric, gridloom, tmp_path):
    fabric.answers["POST", CACHE] = {"uploadUrl": f"{fabric.url}/upload"}
    (tmp_path / "a.bin").write_bytes(b"abc")
    assert gridloom("cache", "upload", tmp_path / "a.bin", "models/a.bin")[1] == "models/a.bin uploaded\n"
    assert fabric.uploaded[2] == b"abc"
    assert fabric.bodies("POST", CACHE) == [{"path": "models/a.bin", "size": "3"}]
    assert gridloom("cache", "upload", tmp_path / "none")[0] == 1


def test_a_path_is_deleted_after_a_yes(fabric, gridloom):
    fabric.answers["DELETE", CACHE] = {"ok": True}
    assert gridloom("cache", "delete", "models", "--scope", "shared")[0] == 2
    assert gridloom("cache", "delete", "models", "--scope", "shared", "--yes")[0] == 0
    assert fabric.queries[-1] == "scope=shared&path=models"
