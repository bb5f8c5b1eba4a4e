"""Reading, searching, following and downloading logs."""

import json

import pytest

from gridloom.ids import new_uuid, task_id
from gridloom.logs import LogLevel
from gridloom.states import JobState, Stage
from storage.repositories import job_states
from storage.tables import jobs
from tests.fixtures.log_lines import line, store_lines
from tests.unit.api.routes.test_jobs import error_of

ESC = "\x1b"


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


@pytest.fixture
def job(draft, hello):
    """Return a job with three segments of lines."""
    job = draft()

    def add(stage, *batches):
        store_lines(hello.context.database, hello.context.store, job["id"], stage, batches)

    add(Stage.PARTITION, (0, 1, [line("Cut in two"), line("cut: done", "fabric", LogLevel.INFO, 1)]))
    add(
        Stage.APP,
        (0, 1, [line("INFO zero", after_s=2), line('ERROR "zero"\\ failed', "stderr", None, 3)]),
        (7, 2, [line("ÄRGER und mehr", after_s=4), line("killed: late", "fabric", LogLevel.ERROR, 5)]),
    )
    add(Stage.ASSEMBLE, (0, 1, [line("WARNING stdout 100%", after_s=6), line("DEBUG done", after_s=7)]))
    return job


def texts_of(answer):
    found = answer["partitioner"] + answer["assembler"]
    for task in answer["taskrunner"].values():
        found += task["logs"]
    return [it["log"] for it in sorted(found, key=lambda it: it["timestamp"])]


@pytest.mark.parametrize(
    ("search", "found"),
    [
        ("CUT", ["Cut in two", "cut: done"]),
        ("zero", ["INFO zero", 'ERROR "zero"\\ failed']),
        ('"ZERO"\\', ['ERROR "zero"\\ failed']),
        ("ärger", ["ÄRGER und mehr"]),
        ("stdout", ["WARNING stdout 100%"]),
        ("00%", ["WARNING stdout 100%"]),
        (".*", []),
        ("absent", []),
        ("\n", []),
    ],
)
def test_a_search_finds_texts_in_whatever_case_and_nothing_around_them(job, hello, search, found):
    answer = read(hello, job, search=search)
    assert texts_of(answer) == found
    assert (answer["complete"], answer["totalLines"], answer["nextId"]) == (True, 8, "8")


@pytest.mark.parametrize(
    ("members", "found"),
    [
        ({"levels": ["ERROR"]}, ['ERROR "zero"\\ failed', "killed: late"]),
        ({"level": "error"}, ['ERROR "zero"\\ failed', "killed: late"]),
        ({"levels": "warning,debug"}, ["WARNING stdout 100%", "DEBUG done"]),
        ({"levels": ["INFO"], "search": "o"}, ["cut: done", "INFO zero"]),
        ({"levels": ["DEBUG"], "search": "zero"}, []),
        ({"container": "main"}, ["cut: done", "killed: late"]),
        ({"container": "", "stage": "partition"}, ["Cut in two"]),
        (
            {"from": "2026-01-02T03:04:09.6789Z", "to": "2026-01-02T03:04:11.6789Z"},
            ["ÄRGER und mehr", "killed: late"],
        ),
        ({"from": "2026-01-02T05:04:12+02:00"}, ["DEBUG done"]),
        ({"to": "2026-01-02T03:04:06"}, ["Cut in two"]),
        ({"from": "2030-01-01T00:00:00Z"}, []),
        ({"stage": "assemble", "limit": 1}, ["WARNING stdout 100%"]),
    ],
)
def test_filters_go_together(job, hello, members, found):
    assert texts_of(read(hello, job, **members)) == found


def test_a_task_is_searched_alone(job, hello):
    wanted = task_id(job["id"], Stage.APP, 7)
    answer = read(hello, job, taskIds=[wanted], search="e")
    assert {
        task: texts_of({"partitioner": [], "assembler": [], "taskrunner": {task: it}})
        for task, it in answer["taskrunner"].items()
    } == {wanted: ["ÄRGER und mehr", "killed: late"]}


@pytest.mark.parametrize("members", [{}, {"search": "e"}, {"levels": ["ERROR", "INFO", "UNKNOWN"]}])
def test_the_newest_come_first_page_by_page_and_none_twice(job, hello, members):
    forth, back, after = texts_of(read(hello, job, **members)), [], ""
    for _ in range(9):
        answer = read(hello, job, order="desc", limit=2, afterId=after, **members)
        back = texts_of(answer) + back
        after = answer["nextId"]
    assert back == forth
    assert after == "0"


@pytest.mark.parametrize(
    ("members", "field"),
    [
        ({"levels": ["LOUD"]}, "levels"),
        ({"level": "LOUD"}, "level"),
        ({"from": "yesterday"}, "from"),
        ({"order": "up"}, "order"),
        ({"search": "x" * 1001}, "search"),
        ({"stage": "lunch"}, "stage"),
        ({"limit": 0}, "limit"),
    ],
)
def test_what_can_not_be_meant_is_named(job, hello, members, field):
    answer = hello.post("/v1/customer/logs", json={"jobId": job["id"]} | members)
    assert answer.status_code == 400
    assert field in error_of(answer)


def test_a_search_that_takes_too_long_says_where_to_go_on(job, hello, monkeypatch):
    monkeypatch.setattr("api.routes.logs._SEARCH_S", -1.0)
    found, after = [], ""
    for _ in range(3):
        answer = read(hello, job, search="done", afterId=after)
        found.append((texts_of(answer), answer["complete"]))
        after = answer["nextId"]
    assert found == [(["cut: done"], False), ([], False), (["DEBUG done"], True)]
    assert read(hello, job, search="done", afterId=after)["nextId"] == after


def url(job, what):
    return f"/v1/customer/jobs/{job['id']}/logs/{what}"


def test_a_download_has_a_line_for_each_line_and_nothing_that_moves_a_cursor(job, hello, draft):
    context, evil = hello.context, f"a\rb{ESC}[2J\tc\x9b\u202e\x00"
    store_lines(context.database, context.store, job["id"], Stage.APP, [(1, 1, [line(evil, after_s=9)])])
    answer = hello.get(url(job, "download"))
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    assert answer.headers["content-disposition"] == f'attachment; filename="{job["id"]}.log"'
    lines = answer.text.split("\n")
    assert lines[0] == "2026-01-02T03:04:05.678900Z partition UNKNOWN stdout Cut in two"
    assert lines[3] == '2026-01-02T03:04:08.678900Z app/0 ERROR stderr ERROR "zero"\\ failed'
    assert lines[8] == "2026-01-02T03:04:14.678900Z app/1 UNKNOWN stdout a\\x0db\\x1b[2J\tc\\x9b\\u202e\\x00"
    assert lines[9:] == [""]
    assert (
        ESC
        in read(hello, job, search="[2j")["taskrunner"][task_id(job["id"], Stage.APP, 1)]["logs"][0]["log"]
    )


def test_a_download_may_be_json_lines_filtered_and_turned_round(job, hello):
    query = {"format": "jsonl", "levels": ["error", "warning"], "order": "desc"}
    answer = hello.get(url(job, "download"), params=query)
    lines = [json.loads(it) for it in answer.text.splitlines()]
    assert [it["level"] for it in lines] == ["WARNING", "ERROR", "ERROR"]
    assert lines[1] == {
        "log": "killed: late",
        "timestamp": "2026-01-02T03:04:10.678900Z",
        "level": "ERROR",
        "container": "main",
        "stream": "fabric",
        "stage": "app",
        "taskId": task_id(job["id"], Stage.APP, 7),
        "chunk": 7,
        "attempt": 2,
    }


def events(text):
    """Return (id, event, data) of a stream's events."""
    found = []
    for block in text.split("\n\n"):
        members = dict(part.split(": ", 1) for part in block.split("\n") if part)
        if "event" in members:
            found.append((members["id"], members["event"], json.loads(members["data"])))
    return found


@pytest.fixture
def ended(job, hello):
    """Return the job, which is complete."""

    def end(connection):
        change = jobs.update().where(jobs.c.id == job["id"])
        connection.execute(change.values(state=JobState.COMPLETE, ended_at=job_states.now(connection)))

    hello.context.writer.run(end)
    return job


def test_a_stream_sends_every_line_and_ends_with_the_job(ended, hello):
    answer = hello.get(url(ended, "stream"))
    assert answer.headers["content-type"].startswith("text/event-stream")
    found = events(answer.text)
    assert [it[:2] for it in found] == [(str(place), "log") for place in range(1, 9)] + [("8", "end")]
    assert found[0][2]["log"] == "Cut in two"
    assert found[-1][2] == {"state": JobState.COMPLETE}


def test_a_stream_goes_on_where_it_broke_off(ended, hello):
    found = events(hello.get(url(ended, "stream"), headers={"Last-Event-ID": "6"}).text)
    assert [it[0] for it in found] == ["7", "8", "8"]
    found = events(hello.get(url(ended, "stream"), params={"afterId": "7", "search": "absent"}).text)
    assert [it[:2] for it in found] == [("8", "end")]


def test_a_token_may_stand_in_the_address_of_a_stream_and_a_download(ended, hello, anonymous):
    for what in ("stream", "download"):
        assert anonymous.get(url(ended, what)).status_code == 401
        query = {"access_token": hello.headers["Authorization"]}
        assert anonymous.get(url(ended, what), params=query).status_code == 200


def test_others_can_neither_follow_nor_download(ended, bob, hello):
    for what in ("stream", "download"):
        assert bob.get(url(ended, what)).status_code == 404
        assert hello.get(url({"id": new_uuid()}, what)).status_code == 404
        assert hello.get(url(ended, what), params={"level": "loud"}).status_code == 400
    assert hello.get(url(ended, "stream"), params={"order": "desc"}).status_code == 400
