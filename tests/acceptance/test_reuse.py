"""A job that says `reuse` runs only what is new: each result holds a number that no second run would draw again."""

import pytest

from tests.fixtures.live_fabric import component

SCRIPT = """
read -r nonce < /proc/sys/kernel/random/uuid
read -r line < "$TASK_DIR/data.bin"
echo "$line $nonce" > "$TASK_RESULTS_DIR/out-$CHUNK_NUMBER"
"""


@pytest.fixture
def run(fabric, tmp_path):
    """Return what runs the app on lines, each of them a chunk, and returns the ended job and its output."""
    fabric.push(component("draw", SCRIPT))

    def run(*lines, partitioner="split", reuse=True, app=None):
        source = tmp_path / "lines.txt"
        source.write_text("".join(f"{it}\n" for it in lines))
        body = {
            "app": "draw@0.1",
            "partitioner": partitioner,
            "dataSource": {"dataSourceDescriptor": "file"},
            "params": {"partitioner": {"lines": 1}, "app": app or {}},
            "config": {"reuse": reuse},
        }
        if partitioner == "passthrough":
            del body["params"]["partitioner"]
        job = fabric.finished(fabric.run(body, source))
        return job, fabric.results(job["id"])

    return run


def test_what_was_done_before_is_taken_and_only_what_changed_runs(fabric, run):
    first, made = run("a", "b", "c", reuse=False)
    assert len(made) == 3
    again, taken = run("a", "b", "c")
    assert taken == made
    assert (again["progress"]["reused"], again["paymentAmount"], again["config"]["reuse"]) == (3, 0, True)
    task = fabric.tasks(again["id"])[2]["reuse"]
    assert (task["hit"], task["jobId"], task["taskId"]) == (
        True,
        first["id"],
        fabric.tasks(first["id"])[2]["id"],
    )
    changed, partly = run("a", "new", "c")
    assert changed["progress"]["reused"] == 2
    assert {name for name in made if made[name] == partly[name]} == {"out-0", "out-2"}
    assert "no earlier task of yours had these bytes" in fabric.tasks(changed["id"])[1]["reuse"]["reason"]
    other, fresh = run("a", "b", "c", app={"n": 1})
    assert other["progress"]["reused"] == 0
    assert not set(fresh.values()) & {*made.values(), *partly.values()}
    assert "parameters differ" in fabric.tasks(other["id"])[0]["reuse"]["reason"]


def test_a_file_that_is_its_only_chunk_is_known_again(fabric, run):
    _, made = run("whole", partitioner="passthrough", reuse=False)
    again, taken = run("whole", partitioner="passthrough")
    assert (again["progress"]["reused"], taken) == (1, made)
