"""Tests of `gridloom admin rotate-key`."""

import json

import pytest

from cli.master_key import master_key_file
from tests.unit.cli.conftest import KEY

ROUTE = "/v1/admin/rotate_key"


@pytest.fixture(autouse=True)
def rotates(fabric):
    kinds = {"secrets": {"rewrapped": 2, "unreadable": 0}}
    fabric.answers["POST", ROUTE] = {"masterId": "k2", "kinds": kinds}
    fabric.answers["GET", "/v1/admin/users"] = {"users": []}


def test_a_new_key_goes_into_the_file_before_everything_is_sealed(fabric, gridloom, tmp_path):
    file = master_key_file(tmp_path)
    before = file.read_text()
    assert gridloom("admin", "rotate-key", "--key-file", file)[0] == 2
    assert file.read_text() == before
    code, out, _ = gridloom("admin", "rotate-key", "--key-file", file, "--yes")
    assert code == 0
    assert f"sealed under k2, which is new in {file}" in out
    assert "secrets  2            0" in out
    assert file.read_text().endswith(before)
    assert len(file.read_text().splitlines()) == 2


def test_the_file_of_the_fabric_on_this_machine_is_found(fabric, gridloom, monkeypatch, tmp_path):
    file = master_key_file(tmp_path)
    monkeypatch.setenv("GRIDLOOM_DATA_DIR", str(tmp_path))
    credentials = tmp_path / "credentials.json"
    credentials.write_text(json.dumps({"url": "http://127.0.0.1:1", "apiKey": KEY}))
    assert json.loads(gridloom("admin", "rotate-key", "--yes", "--json")[1])["keyFile"] is None
    credentials.write_text(json.dumps({"url": fabric.url, "apiKey": KEY}))
    assert json.loads(gridloom("admin", "rotate-key", "--yes", "--json")[1])["keyFile"] == str(file)
    gridloom("admin", "rotate-key", "--yes", "--no-new-key")
    assert len(file.read_text().splitlines()) == 2


def test_who_may_not_rotate_leaves_no_key_behind(fabric, gridloom, tmp_path):
    fabric.answers["GET", "/v1/admin/users"] = (403, {"message": "admins only"})
    file = master_key_file(tmp_path)
    assert gridloom("admin", "rotate-key", "--key-file", file, "--yes")[2] == "error: admins only\n"
    assert len(file.read_text().splitlines()) == 1


def test_values_that_no_key_opens_are_told(fabric, gridloom):
    fabric.answers["POST", ROUTE] = {"masterId": "k2", "kinds": {"secrets": {"unreadable": 1}}}
    code, _, err = gridloom("admin", "rotate-key", "--yes")
    assert code == 1
    assert "can't be opened" in err
