"""Tests of `gridloom app` and `gridloom engine`."""

import json
from base64 import b64decode, b64encode

import pytest

from gridloom.archives import pack_folder, read_component


@pytest.mark.parametrize("kind", ["app", "engine"])
def test_a_sample_can_be_pushed(fabric, gridloom, tmp_path, kind):
    kinds = ["--type", "assembler"] if kind == "engine" else []
    assert gridloom(kind, "new", "shout", *kinds)[0] == 0
    code, out, err = gridloom(kind, "push", "shout")
    assert (code, err) == (0, "")
    assert out == f"shout@0.1 pushed, inactive; next: gridloom {kind} activate shout@0.1\n"
    [body] = fabric.bodies("POST", f"/v1/dev/{kind}s")
    files = read_component(b64decode(body["data"])).files
    assert {"manifest.json", "app/main.py"} <= files.keys()
    assert ("template.json" in files) == (kind == "app")


@pytest.mark.parametrize("folder", ["nowhere", "."])
def test_a_folder_that_is_no_component_is_refused(fabric, gridloom, folder):
    code, _, err = gridloom("app", "push", folder)
    assert code == 1
    assert err.startswith("error: ")
    assert err.count("\n") == 1


def test_a_tag_is_activated_and_deactivated(fabric, gridloom):
    assert gridloom("app", "activate", "me/shout@0.1")[1] == "me/shout@0.1 activated\n"
    assert gridloom("engine", "deactivate", "cut")[1] == "cut deactivated\n"
    assert [path for _, path, _ in fabric.calls if "activate" in path] == [
        "/v1/dev/apps/me/shout@0.1/activate",
        "/v1/dev/engines/cut/deactivate",
    ]


def test_components_are_listed(fabric, gridloom):
    assert gridloom("engine", "list")[1].splitlines() == [
        "name   version  type       status  description",
        "shout  0.1      assembler  active  loud",
    ]
    assert json.loads(gridloom("app", "list", "--json")[1])["apps"][0]["name"] == "shout"


def test_the_status_is_one_word(fabric, gridloom):
    assert gridloom("app", "status", "shout")[1] == "active\n"


def test_a_folder_comes_back(fabric, gridloom, tmp_path):
    gridloom("app", "new", "shout")
    archive = pack_folder(tmp_path / "shout")
    fabric.answers["GET", "/v1/dev/apps/me/shout@0.1/download"] = {"engineData": b64encode(archive).decode()}
    code, _, err = gridloom("app", "pull", "me/shout@0.1")
    assert code == 1
    assert "exists already" in err
    assert gridloom("app", "pull", "me/shout@0.1", "again")[1] == "me/shout@0.1 is in again\n"
    assert (tmp_path / "again/app/main.py").read_bytes() == (tmp_path / "shout/app/main.py").read_bytes()


def test_an_engine_needs_a_kind_which_is_asked_for_at_a_terminal(gridloom, tmp_path):
    code, _, err = gridloom("engine", "new", "cut")
    assert code == 2
    assert "--type partitioner" in err
    assert gridloom("engine", "new", "cut", stdin="p\n", at_terminal=True)[0] == 0
    assert json.loads((tmp_path / "cut/manifest.json").read_text())["type"] == "partitioner"
    assert gridloom("engine", "new", "paste", stdin="neither\n", at_terminal=True)[0] == 1
