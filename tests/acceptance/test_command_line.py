"""The `gridloom` command in processes of its own, from a new app to its result; and the demo."""

import json
import os
import subprocess
import sys

import pytest

from tests.fixtures.commands import Commands
from tests.fixtures.live_fabric import ROOT, component

FABRIC_ENV = {"GRIDLOOM_ALLOW_PRIVATE_HOSTS": "127.0.0.1"}


@pytest.fixture
def gridloom(fabric, tmp_path):
    """Return what runs one command and gives what it printed."""
    return Commands(tmp_path, {"GRIDLOOM_URL": fabric.url, "GRIDLOOM_API_KEY": fabric.api_key})


def test_a_new_app_is_pushed_and_run_in_one_command_each(gridloom, tmp_path):
    (tmp_path / "notes.txt").write_text("warp and weft\n")
    gridloom("app", "new", "shout")
    gridloom("app", "push", "shout")
    refusal = gridloom("job", "run", "shout-template", "--input", "notes.txt", code=1)
    assert "shout" in refusal
    assert len(refusal.splitlines()) == 1
    gridloom("app", "activate", "shout")
    command = ["job", "run", "shout-template", "--wait", "--input", "notes.txt", "--output", "result"]
    said = gridloom(*command, "--param", "app.case=upper")
    assert said.splitlines()[-1] == "Complete"
    assert "Result: result" in said.splitlines()
    assert [it.name for it in (tmp_path / "result").iterdir()] == ["shout_processed.txt"]
    assert (tmp_path / "result/shout_processed.txt").read_text() == "WARP AND WEFT\n"
    job_id = said.split()[1]
    job = json.loads(gridloom("job", "get", job_id, "--json"))
    assert job["params"]["app"] == {"case": "upper"}
    assert "14 characters in upper case" in gridloom("job", "logs", job_id)
    assert job_id in gridloom("job", "list")
    failure = gridloom(*command, "--param", "app.case=sideways", code=1)
    assert "exit code 1" in failure.splitlines()[-1]


def test_engines_of_ones_own_and_an_abort(gridloom, tmp_path):
    (tmp_path / "notes.txt").write_text("".join(f"line {it}\n" for it in range(25)))
    for name, kind in (("cut", "partitioner"), ("join", "assembler")):
        gridloom("engine", "new", name, "--type", kind)
        gridloom("engine", "push", name)
        gridloom("engine", "activate", name)
    gridloom("app", "new", "whisper")
    gridloom("app", "push", "whisper")
    gridloom("app", "activate", "whisper")
    template = {"id": "cut-and-join", "app": "whisper", "partitioner": "cut", "assembler": "join"}
    (tmp_path / "template.json").write_text(json.dumps(template))
    gridloom("template", "push", "template.json")
    params = ["--param", "app.case=lower", "--param", "partitioner.lines=10"]
    gridloom("job", "run", "cut-and-join", "--input", "notes.txt", "--output", "result", *params)
    assert (tmp_path / "result/join.out").read_text() == (tmp_path / "notes.txt").read_text()
    (tmp_path / "whisper/app/main.py").write_text("import time\ntime.sleep(600)\n")
    gridloom("app", "push", "whisper")
    job_id = json.loads(gridloom("job", "run", "cut-and-join", "--input", "notes.txt", "--json"))["id"]
    gridloom("job", "abort", job_id, "--yes")
    ended = gridloom("job", "watch", job_id, code=1)
    assert "was aborted" in ended


def test_buckets_are_looked_at_read_and_written(fabric, gridloom, bucket_server):
    books, results = bucket_server.make_bucket(), bucket_server.make_bucket()
    bucket_server.put(books, "2024/notes.txt", b"warp and weft\n")
    access_key = bucket_server.access_key
    fabric.client.save_secret("lake", bucket_server.secret_key, secret_type="s3", access_key=access_key)
    app = fabric.push(component("copy", 'cp "$TASK_DIR/data.bin" "$TASK_RESULTS_DIR/copy"'))
    blocks = {"app": app, "partitioner": "passthrough", "assembler": "passthrough"}
    fabric.client.push_template({"id": "copy-template"} | blocks)
    to = ["--secret", "lake", "--endpoint", bucket_server.endpoint]
    assert "2024/notes.txt" in gridloom("source", "test", f"s3://{books}/2024/", *to, "--files")
    nothing = gridloom("source", "test", f"s3://{books}/2025/", *to, code=1)
    assert nothing.startswith("error: dataSource.params.name: ")
    assert "write  yes" in gridloom("destination", "test", f"s3://lake@{results}/out", *to[2:])
    ends = ["--source", f"s3://{books}/2024/", "--destination", f"s3://{results}/out", *to]
    said = gridloom("job", "run", "copy-template", "--wait", *ends)
    assert bucket_server.get(results, "out/copy") == b"warp and weft\n"
    gridloom("job", "redeliver", said.split()[1], "--destination", f"s3://{results}/again", *to, "--wait")
    assert bucket_server.get(results, "again/copy") == b"warp and weft\n"


@pytest.mark.timeout(240)
def test_the_demo_counts_the_words_of_the_standard_library_and_leaves_nothing(tmp_path):
    env = {name: value for name, value in os.environ.items() if not name.startswith("GRIDLOOM_")}
    command = [sys.executable, "-P", "-m", "cli.main", "demo", "--output", str(tmp_path / "report")]
    ended = subprocess.run(
        command,
        env=env | {"PYTHONPATH": str(ROOT), "TMPDIR": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
        timeout=220,
    )
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.splitlines()[-1] == "Complete"
    assert f"Result: {tmp_path / 'report'}" in ended.stdout.splitlines()
    assert (tmp_path / "report/report.txt").stat().st_size > 100
    assert not list(tmp_path.glob("gridloom-demo-*"))
