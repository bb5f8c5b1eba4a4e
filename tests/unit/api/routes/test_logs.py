import pytest

from gridloom.ids import new_uuid, task_id
from gridloom.logs import LogLevel
from gridloom.states import Stage
from tests.fixtures.log_lines import line, store_lines
from tests.unit.api.routes.test_jobs import error_of


@pytest.fixture
def printed(draft, hello):
    """Return a function that stores what stages print, and the job."""
    job = draft()

    def add(stage, batches, *, damage=False):
        context = hello.context
        store_lines(context.database, context.store, job["id"], stage, batches, damage=damage)

    return job, add


def read(client, job, **members):
    answer = client.post("/v1/customer/logs", json={"jobId": job["id"]} | members)
    assert answer.status_code == 200, answer.text
    return answer.json()


def texts(entries):
    return [it["log"] for it in entries]


def test_lines_are_told_apart_by_stage_and_task(printed, hello):
    job, add = printed
    add(Stage.PARTITION, [(0, 1, [line("cut")])])
    add(
        Stage.APP,
        [
            (0, 1, [line("zero")]),
            (7, 2, [line("seven", "stderr"), line("killed: timeout", "fabric", LogLevel.ERROR)]),
        ],
    )
    add(Stage.ASSEMBLE, [(0, 1, [line("merged"), line("attempt 1 starts", "fabric", LogLevel.INFO)])])
    answer = read(hello, job)
    assert answer["partitioner"] == [
        {
            "log": "cut",
            "timestamp": "2026-01-02T03:04:05.678900Z",
            "level": "UNKNOWN",
            "container": "",
            "stream": "stdout",
        }
    ]
    zero, seven = (task_id(job["id"], Stage.APP, chunk) for chunk in (0, 7))
    assert texts(answer["taskrunner"][zero]["logs"]) == ["zero"]
    assert [(it["level"], it["container"]) for it in answer["taskrunner"][seven]["logs"]] == [
        ("UNKNOWN", ""),
        ("ERROR", "main"),
    ]
    assert answer["assembler"][1]["level"] == "INFO"


@pytest.mark.parametrize("name", ["tasksIds", "taskIds", "tasks_ids", "task_ids"])
def test_only_the_tasks_asked_for_are_read(printed, hello, name):
    job, add = printed
    add(Stage.PARTITION, [(0, 1, [line("cut")])])
    add(Stage.APP, [(chunk, 1, [line(str(chunk))]) for chunk in range(5)])
    add(Stage.APP, [(9, 1, [line("nine")])])
    wanted = task_id(job["id"], Stage.APP, 3)
    answer = read(hello, job, **{name: [wanted]})
    assert answer["partitioner"] == []
    assert {task: texts(it["logs"]) for task, it in answer["taskrunner"].items()} == {wanted: ["3"]}
    assert read(hello, job, stage="partition", **{name: [wanted]})["taskrunner"] == {}


def test_one_stage_is_read_alone(printed, hello):
    job, add = printed
    add(Stage.PARTITION, [(0, 1, [line("cut")])])
    add(Stage.APP, [(0, 1, [line("zero")])])
    answer = read(hello, job, stage="partition")
    assert (texts(answer["partitioner"]), answer["taskrunner"]) == (["cut"], {})


def test_a_reader_goes_on_where_it_stopped_and_misses_nothing(printed, hello):
    job, add = printed
    wanted = [f"line {number}" for number in range(25)]
    for start in range(0, 25, 7):
        add(Stage.PARTITION, [(0, 1, [line(text) for text in wanted[start : start + 7]])])
    got, after = [], ""
    for _ in range(9):
        answer = read(hello, job, limit=3, afterId=after)
        assert len(answer["partitioner"]) <= 3
        got += texts(answer["partitioner"])
        after = answer["nextId"]
    assert got == wanted
    assert read(hello, job, afterId=after) == {
        "partitioner": [],
        "assembler": [],
        "taskrunner": {},
        "nextId": after,
        "complete": True,
        "totalLines": 25,
    }
    add(Stage.PARTITION, [(0, 1, [line("late")])])
    assert texts(read(hello, job, afterId=int(after))["partitioner"]) == ["late"]


def test_a_damaged_segment_is_left_out(printed, hello):
    job, add = printed
    add(Stage.PARTITION, [(0, 1, [line("lost")])], damage=True)
    add(Stage.PARTITION, [(0, 1, [line("kept")])])
    assert texts(read(hello, job)["partitioner"]) == ["kept"]


@pytest.mark.parametrize("after", ["x", "-1", "1.x", "9" * 40])
def test_a_cursor_that_is_none_is_refused(printed, hello, after):
    body = {"jobId": printed[0]["id"], "afterId": after}
    assert "not an id that an earlier answer gave" in error_of(hello.post("/v1/customer/logs", json=body))


def test_logs_of_others_are_absent(printed, hello, bob):
    job, _ = printed
    body = {"jobId": job["id"]}
    assert bob.post("/v1/customer/logs", json=body).status_code == 404
    assert hello.post("/v1/customer/logs", json=body | {"taskIds": [new_uuid()]}).status_code == 404
    assert "jobId" in error_of(hello.post("/v1/customer/logs", json={}))


def test_a_job_without_output_has_none(printed, hello):
    assert read(hello, printed[0])["nextId"] == ""
