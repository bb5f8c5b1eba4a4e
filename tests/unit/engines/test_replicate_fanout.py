"""The replicating partitioner."""

import json
import os
import subprocess
import sys

import jsonschema_rs
import pytest

from engines.catalog import package_files

GOOD = [1, 4, 3.0, "3", "010"]
BAD = [0, -1, 2.5, "", "x", "1.5", "-2", True, None, [], {}]


@pytest.mark.parametrize("replicas", GOOD)
def test_the_source_is_copied_as_often_as_asked(run_engine, replicas):
    assert run_engine("replicate_fanout", {"data": b"abc"}, num_replicas=replicas).chunks() == [b"abc"] * int(
        replicas
    )


def test_every_source_file_is_copied(run_engine):
    outcome = run_engine("replicate_fanout", {"b": b"B", "a": b"A"}, num_replicas=2)
    assert outcome.chunks() == [b"A", b"A", b"B", b"B"]


@pytest.mark.parametrize("replicas", BAD)
def test_a_bad_number_is_named(run_engine, replicas):
    outcome = run_engine("replicate_fanout", {"data": b"abc"}, num_replicas=replicas)
    assert outcome.code == 1
    assert outcome.files() == {}
    assert "num_replicas" in outcome.stderr
    assert outcome.stderr.count("\n") == 1


@pytest.mark.parametrize("params", ["{}", "[]", "nonsense"])
def test_missing_parameters_are_an_error_of_one_line(run_engine, params):
    outcome = run_engine("replicate_fanout", {"data": b"abc"}, raw_params=params)
    assert outcome.code == 1
    assert outcome.stderr.count("\n") == 1


def test_the_schema_agrees_with_the_script():
    schema = jsonschema_rs.validator_for(json.loads(package_files("replicate_fanout")["schema.json"]))
    assert all(schema.is_valid({"num_replicas": value}) for value in GOOD)
    assert not any(schema.is_valid({"num_replicas": value}) for value in BAD)
    assert not schema.is_valid({})


def test_indices_go_on_behind_chunks_that_exist(run_engine, tmp_path):
    first = run_engine("replicate_fanout", {"data": b"new"}, num_replicas=1)
    (first.output / "data_9.bin").write_bytes(b"old")
    subprocess.run(
        [sys.executable, "-B", "engines/replicate_fanout/app/main.py"],
        env={
            "PATH": os.environ["PATH"],
            "SOURCE_DIR": str(tmp_path / "1-in"),
            "CHUNKS_DIR": str(first.output),
            "PARTITIONER_PARAMS": '{"num_replicas": 2}',
        },
        check=True,
        capture_output=True,
    )
    assert sorted(first.files()) == ["data_0.bin", "data_10.bin", "data_11.bin", "data_9.bin"]
