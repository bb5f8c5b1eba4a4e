"""Tests of `gridloom job`."""

import json

import pytest

from gridloom.ids import task_id
from gridloom.states import Stage
from tests.unit.cli.conftest import JOB_ID

LINE = {"timestamp": "2026-01-02T03:04:05.678Z", "level": "UNKNOWN"}


@pytest.fixture
def notes(tmp_path):
    file = tmp_path / "notes.txt"
    file.write_text("hello\n")
    return file


def test_a_run_makes_the_whole_round_trip(fabric, gridloom, notes, tmp_path):
    code, out, err = gridloom(
        "job", "run", "shout-template", "--wait", "--param", "app.case=upper", "--config", "task_timeout=60",
        "--reuse", "--input", notes, "--output", tmp_path / "result",
    )  # fmt: skip
    assert code == 0
    assert "error" not in err
    assert out.splitlines()[0] == f"Job {JOB_ID}"
    assert out.splitlines()[-2:] == [f"Result: {tmp_path / 'result'}", "Complete"]
    assert (tmp_path / "result/result.txt").read_bytes() == b"HELLO\n"
    [created] = fabric.bodies("POST", "/v1/customer/jobs")
    assert created["params"] == {"app": {"case": "upper"}}
    assert created["config"] == {"taskTimeout": 60, "reuse": True}
    assert created["dataDestination"]["dataSourceDescriptor"] == "bucket"
    assert fabric.bodies("PATCH", f"/v1/customer/jobs/{JOB_ID}/uploadcompleted") == [{}]


def test_an_upload_names_the_file_and_carries_no_token(fabric, gridloom, notes):
    gridloom("job", "run", "shout-template", "--input", notes)
    disposition, authorization, data = fabric.uploaded
    assert 'filename="notes.txt"' in disposition
    assert authorization is None
    assert data == b"hello\n"


def test_progress_is_told_in_plain_lines_beside_the_result(fabric, gridloom):
    _, out, err = gridloom("job", "run", "shout-template", "--wait")
    assert "Running tasks  " in err
    assert "/4 chunks" in err
    assert "chunks" not in out


def test_the_phases_of_tasks_are_told_while_it_goes_and_at_the_end(fabric, gridloom):
    fabric.phases = {"tasks": 4, "meanSeconds": {"claimed": 0.0012}, "claims": {"warm": 0.97, "cold": 0.03}}
    _, out, err = gridloom("job", "run", "shout-template", "--wait")
    assert "chunks  claimed 1.2 ms (97 % warm)" in err
    assert out.splitlines()[-2].startswith("queued 0 ms  pulled 0 ms  claimed 1.2 ms (97 % warm)  fetched")
    fabric.states = ["COMPLETE"]
    gridloom("job", "run", "shout-template")
    _, out, _ = gridloom("job", "watch", JOB_ID)
    assert "claimed 1.2 ms (97 % warm)" in out


def test_tasks_are_listed_with_their_phases(fabric, gridloom):
    code, out, _ = gridloom("job", "tasks", JOB_ID, "--limit", 1)
    titles, row, rest = out.splitlines()
    assert code == 0
    assert titles.split()[-3:] == ["ran", "stored", "error"]
    assert row.split() == ["0", "Completed", "0", "warm", "500", "ms", "2", "s"]
    assert "7 in all" in rest
    assert json.loads(gridloom("job", "tasks", JOB_ID, "--json")[1])["data"][0]["claim"] == "warm"


def test_json_is_the_only_thing_on_standard_output(fabric, gridloom, notes, tmp_path):
    code, out, _ = gridloom("job", "run", "t", "--input", notes, "--output", tmp_path / "r", "--json")
    document = json.loads(out)
    assert code == 0
    assert document["job"]["state"] == "JOB_STATE_COMPLETE"
    assert [it["name"] for it in document["results"]] == ["result.txt"]


def test_a_destination_that_the_template_names_stays(fabric, gridloom):
    fabric.template = {"dataDestination": {"dataSourceDescriptor": "bypass"}}
    gridloom("job", "run", "shout-template", "--wait")
    assert fabric.job["dataDestination"]["dataSourceDescriptor"] == "bypass"


def test_no_destination_at_all_means_the_temporary_bucket(fabric, gridloom):
    gridloom("job", "run", "shout-template")
    assert fabric.job["dataDestination"]["dataSourceDescriptor"] == "bucket"


def test_a_url_is_the_source_as_it_is(fabric, gridloom):
    gridloom("job", "create", "shout-template", "--input", "https://example.test/a.txt")
    source = fabric.bodies("POST", "/v1/customer/jobs")[0]["dataSource"]
    assert source["dataSourceDescriptor"] == "url"
    assert source["params"]["url"] == "https://example.test/a.txt"


def test_both_ends_can_be_in_buckets(fabric, gridloom):
    arguments = ("--source", "gcp://lake@books/2024/*.txt", "--destination", "s3://results/run 7")
    code, _, err = gridloom("job", "create", "t", *arguments, "--secret", "mine", "--overwrite")
    assert (code, err) == (0, "")
    [body] = fabric.bodies("POST", "/v1/customer/jobs")
    source, destination = body["dataSource"], body["dataDestination"]
    assert (source["dataSourceDescriptor"], destination["dataSourceDescriptor"]) == ("gcp", "s3")
    assert source["params"]["bucketName"] == "books"
    assert source["params"]["name"] == "2024/*.txt"
    assert source["params"]["secret_id"] == "lake"
    assert destination["params"]["secret_id"] == "mine"
    assert destination["params"]["overwrite"] is True
    assert "overwrite" not in source["params"]
    assert "s3 results/run 7" in gridloom("job", "get", JOB_ID)[1]


def test_an_ended_job_is_delivered_again(fabric, gridloom):
    gridloom("job", "create", "t")
    path = f"/v1/customer/jobs/{JOB_ID}/redeliver"
    code, out, _ = gridloom("job", "redeliver", JOB_ID)
    assert (code, fabric.bodies("POST", path)) == (0, [{}])
    assert f"gridloom job watch {JOB_ID}" in out
    code, out, _ = gridloom("job", "redeliver", JOB_ID, "--destination", "storj://again", "--wait")
    assert (code, out.splitlines()[-1]) == (0, "Complete")
    assert fabric.bodies("POST", path)[1]["dataDestination"]["dataSourceDescriptor"] == "storj"


def test_a_failed_job_gives_exit_code_1_and_its_reason(fabric, gridloom):
    fabric.states, fabric.error_message = ["PARTITIONING", "FAILED"], "task 2: exit code 3"
    code, _, err = gridloom("job", "run", "shout-template", "--wait")
    assert code == 1
    assert err.splitlines()[-1] == f"error: job {JOB_ID} failed: task 2: exit code 3"


def test_a_draft_that_exists_is_changed_and_run(fabric, gridloom):
    gridloom("job", "create", "shout-template")
    code, out, _ = gridloom("job", "run", JOB_ID, "--param", "app.b=2", "--name", "Loud")
    assert code == 0
    assert f"gridloom job watch {JOB_ID}" in out
    assert fabric.bodies("PATCH", f"/v1/customer/jobs/{JOB_ID}/params") == [{"app": {"a": 1, "b": 2}}]
    assert fabric.bodies("PATCH", f"/v1/customer/jobs/{JOB_ID}/jobname") == [{"name": "Loud"}]


def test_a_refusal_is_one_line_that_names_the_place(fabric, gridloom):
    assert gridloom("job", "run", "missing") == (1, "", "error: there is no template missing\n")
    code, _, err = gridloom("job", "run", "t", "--param", "app.case=1")
    assert (code, err) == (1, "error: /params/app/case: 1 is not a text\n")


def test_a_missing_input_file_is_told_before_anything_is_made(fabric, gridloom):
    code, _, err = gridloom("job", "run", "t", "--input", "nowhere.txt")
    assert code == 1
    assert "nowhere.txt is neither a file nor an http(s) URL" in err
    assert fabric.bodies("POST", "/v1/customer/jobs") == []


def test_watch_prints_a_json_line_for_each_change(fabric, gridloom):
    gridloom("job", "run", "t")
    code, out, _ = gridloom("job", "watch", JOB_ID, "--json")
    states = [json.loads(line)["state"] for line in out.splitlines()]
    assert code == 0
    assert states == [
        "JOB_STATE_PARTITIONING",
        "JOB_STATE_PARTITIONED",
        "JOB_STATE_MERGING",
        "JOB_STATE_COMPLETE",
    ]


def test_watching_a_draft_says_what_to_do(fabric, gridloom):
    gridloom("job", "create", "t")
    code, _, err = gridloom("job", "watch", JOB_ID)
    assert code == 1
    assert f"gridloom job run {JOB_ID}" in err


def test_results_are_listed_or_fetched(fabric, gridloom, tmp_path):
    code, out, _ = gridloom("job", "results", JOB_ID)
    assert code == 0
    assert "result.txt" in out
    code, out, _ = gridloom("job", "results", JOB_ID, "--output", tmp_path / "r")
    assert (tmp_path / "r/result.txt").read_bytes() == b"HELLO\n"
    assert out == f"1 files fetched\nResult: {tmp_path / 'r'}\n"


def test_results_never_leave_the_folder(fabric, gridloom, tmp_path):
    fabric.outputs = {"../outside.txt": b"x"}
    code, _, err = gridloom("job", "results", JOB_ID, "--output", tmp_path / "r")
    assert code == 1
    assert "does not belong below" in err
    assert not (tmp_path / "outside.txt").exists()


def test_logs_are_read_page_by_page_in_order_of_time(fabric, gridloom):
    task = task_id(JOB_ID, Stage.APP, 7)
    fabric.log_pages = [
        {
            "partitioner": [LINE | {"log": "cut"}],
            "taskrunner": {
                task: {"logs": [LINE | {"log": "early\x1b[2J", "timestamp": "2026-01-01T00:00:00Z"}]}
            },
            "nextId": "5.1",
        },
        {"assembler": [LINE | {"log": "merged"}], "nextId": "9.0"},
    ]
    code, out, _ = gridloom("job", "logs", JOB_ID, "--task", 7)
    assert code == 0
    assert [line.split(maxsplit=1)[1] for line in out.splitlines()] == [
        " task 7  early [2J".strip(), "partition  cut", "assemble  merged",
    ]  # fmt: skip
    asked = fabric.bodies("POST", "/v1/customer/logs")
    assert [it["afterId"] for it in asked] == ["", "5.1", "9.0"]
    assert asked[0]["taskIds"] == [task]


def test_logs_as_json_are_one_line_each(fabric, gridloom):
    fabric.log_pages = [{"partitioner": [LINE | {"log": "a"}, LINE | {"log": "b"}], "nextId": "1"}]
    _, out, _ = gridloom("job", "logs", JOB_ID, "--json")
    assert [json.loads(line)["log"] for line in out.splitlines()] == ["a", "b"]


def test_followed_logs_end_with_the_job(fabric, gridloom):
    gridloom("job", "run", "t")
    line = json.dumps(LINE | {"stage": "partition", "chunk": 0, "log": "a"})
    fabric.log_events = [f"event: log\ndata: {line}\n\n".encode(), b"event: end\ndata: {}\n\n"]
    code, out, _ = gridloom("job", "logs", JOB_ID, "--follow")
    assert code == 0
    assert out.endswith("partition  a\n")


@pytest.mark.parametrize("verb", ["abort", "delete"])
def test_a_job_is_aborted_and_deleted(fabric, gridloom, verb):
    code, out, _ = gridloom("job", verb, JOB_ID, "--yes")
    assert code == 0
    assert out.startswith(f"Job {JOB_ID} ")


def test_a_job_is_shown(fabric, gridloom):
    gridloom("job", "create", "t", "--name", "Loud")
    code, out, _ = gridloom("job", "get", JOB_ID)
    assert code == 0
    assert "Loud" in out
    assert json.loads(gridloom("job", "get", JOB_ID, "--json")[1])["name"] == "Loud"
