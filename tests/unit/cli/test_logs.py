"""Tests of `gridloom logs`; that of `gridloom job logs` are with the jobs."""

import json
from urllib.parse import parse_qs

from gridloom.ids import task_id
from gridloom.states import Stage
from tests.unit.cli.conftest import JOB_ID


def test_conditions_are_sent(fabric, gridloom):
    assert gridloom(
        "logs", JOB_ID, "--search", "oops", "--level", "error", "--level", "WARNING",
        "--from", "2026-01-01", "--to", "2026-01-02", "--task", 3, "--stage", "app",
    )[0] == 0  # fmt: skip
    asked = fabric.bodies("POST", "/v1/customer/logs")[0]
    assert asked["search"] == "oops"
    assert asked["levels"] == ["ERROR", "WARNING"]
    assert asked["from"] == "2026-01-01T00:00:00+00:00"
    assert asked["to"] == "2026-01-02T00:00:00+00:00"
    assert asked["taskIds"] == [task_id(JOB_ID, Stage.APP, 3)]
    assert asked["stage"] == "app"


def test_lines_are_written_into_a_file(fabric, gridloom, tmp_path):
    code, out, _ = gridloom("logs", JOB_ID, "--download", tmp_path / "all.log", "--search", "line")
    assert (code, out) == (0, f"The logs are in {tmp_path / 'all.log'}\n")
    assert (tmp_path / "all.log").read_text() == "a line\n"
    assert parse_qs(fabric.queries[-1]) == {"format": ["text"], "search": ["line"]}
    out = gridloom("logs", JOB_ID, "--download", tmp_path / "l", "--format", "jsonl", "--json")[1]
    assert json.loads(out) == {"file": str(tmp_path / "l")}


def test_a_level_that_is_none_is_wrong_usage(gridloom):
    assert gridloom("logs", JOB_ID, "--level", "loud")[0] == 2
