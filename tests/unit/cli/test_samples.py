"""Tests of the sample components: what they write runs."""

import json
import os
import subprocess
import sys

import pytest

from cli.samples import write_app, write_engine
from gridloom.errors import BadInput


def run(folder, **variables):
    subprocess.run(
        [sys.executable, "main.py"], cwd=folder / "app", env=os.environ | {k: str(v) for k, v in variables.items()}, check=True
    )  # fmt: skip


def test_the_sample_app_changes_the_case(tmp_path):
    write_app(tmp_path / "hello-world")
    task, results = tmp_path / "task", tmp_path / "results"
    task.mkdir()
    results.mkdir()
    (task / "data.bin").write_text("Hello")
    run(tmp_path / "hello-world", TASK_DIR=task, TASK_RESULTS_DIR=results, APP_PARAMS='{"case": "upper"}')
    assert (results / "hello_world_processed.txt").read_text() == "HELLO"


def test_the_sample_manifest_is_the_published_default(tmp_path):
    write_app(tmp_path / "hello-world")
    manifest = json.loads((tmp_path / "hello-world/manifest.json").read_text())
    assert manifest["version"] == "0.1"
    assert manifest["platform"] == "docker"
    assert manifest["description"] == "An app named hello-world"
    assert manifest["platform_config"]["container"] == "python:latest"
    assert manifest["device_requirements"] == {"min_cpu": 2, "min_memory": 2}
    template = json.loads((tmp_path / "hello-world/template.json").read_text())
    assert template["id"] == "hello-world-template"


def test_the_sample_engines_cut_and_join(tmp_path):
    for name in ("source", "chunks", "output"):
        (tmp_path / name).mkdir()
    (tmp_path / "source/a.txt").write_text("1\n2\n3\n")
    write_engine(tmp_path / "cut", "partitioner")
    write_engine(tmp_path / "join", "assembler")
    run(
        tmp_path / "cut",
        SOURCE_DIR=tmp_path / "source",
        CHUNKS_DIR=tmp_path / "chunks",
        PARTITIONER_PARAMS='{"lines": 2}',
    )
    assert [it.read_text() for it in sorted((tmp_path / "chunks").iterdir())] == ["1\n2\n", "3\n"]
    run(tmp_path / "join", TASK_RESULTS_DIR=tmp_path / "chunks", OUTPUT_DIR=tmp_path / "output")
    assert (tmp_path / "output/join.out").read_text() == "1\n2\n3\n"
    assert json.loads((tmp_path / "cut/manifest.json").read_text())["type"] == "partitioner"


@pytest.mark.parametrize("name", ["a b", "ä", "x" * 65, "..."])
def test_a_name_outside_the_rules_is_refused(tmp_path, name):
    with pytest.raises(BadInput, match="is not a name"):
        write_app(tmp_path / name)


def test_files_that_are_there_are_kept(tmp_path):
    write_app(tmp_path / "shout")
    with pytest.raises(BadInput, match="not an empty folder"):
        write_app(tmp_path / "shout")
