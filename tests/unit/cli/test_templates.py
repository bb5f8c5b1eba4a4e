"""Tests of `gridloom template`."""

import json

import pytest

from cli.templates import read_template
from gridloom.errors import BadInput


def test_a_sample_can_be_pushed(fabric, gridloom, tmp_path):
    assert gridloom("template", "new", "shout-template")[0] == 0
    assert gridloom("template", "push", "shout-template.json")[1] == "shout-template pushed\n"
    [body] = fabric.bodies("POST", "/v1/dev/templates")
    assert (body["app"], body["partitioner"], body["assembler"]) == ("shout", "passthrough", "passthrough")


def test_a_sample_never_replaces_a_file(gridloom, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    gridloom("template", "new", "t")
    code, _, err = gridloom("template", "new", "t")
    assert code == 1
    assert "t.json" in err


def test_a_comma_too_many_is_overlooked(tmp_path):
    file = tmp_path / "t.json"
    file.write_text('{"id": "a,}", "params": {"app": {},},}')
    assert read_template(file) == {"id": "a,}", "params": {"app": {}}}


@pytest.mark.parametrize("text", ["{", "[]", "\xff"])
def test_what_is_no_object_is_refused(tmp_path, text):
    file = tmp_path / "t.json"
    file.write_bytes(text.encode("latin-1"))
    with pytest.raises(BadInput, match=r"t\.json"):
        read_template(file)


def test_templates_are_listed(fabric, gridloom):
    assert json.loads(gridloom("template", "list", "--json")[1])["templates"]


def test_a_template_comes_back_as_it_could_be_pushed(fabric, gridloom, tmp_path):
    fabric.answers["GET", "/v1/dev/templates/loud"] = {
        "id": "loud",
        "app": "shout",
        "owner": "1",
        "config": {"taskTimeout": None, "jobTimeout": 5},
        "params": {"app": {}, "partitioner": {"n": 0}},
    }
    assert gridloom("template", "pull", "loud")[0] == 0
    assert json.loads((tmp_path / "loud.json").read_text()) == {
        "id": "loud",
        "app": "shout",
        "params": {"partitioner": {"n": 0}},
        "config": {"jobTimeout": 5},
    }
    assert gridloom("template", "push", "loud.json")[0] == 0
    assert "File exists" in gridloom("template", "pull", "loud")[2]
    assert gridloom("template", "pull", "loud", "other.json")[0] == 0
