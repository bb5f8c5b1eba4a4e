from datetime import UTC, datetime

import pytest

from gridloom.logs import LogLine
from gridloom.states import EndReason, Stage
from gridloom.wire import AttemptResult, Claimed, ResultFile
from tests.fixtures.control_plane import JOB
from worker import committer as module
from worker.attempt import Outcome
from worker.committer import Committer, build_commit
from worker.leases import LeaseBook
from worker.unsent_logs import UnsentLogs

NOW = datetime(2026, 1, 2, tzinfo=UTC)


@pytest.fixture
def book():
    return LeaseBook()


@pytest.fixture
def unsent():
    return UnsentLogs()


@pytest.fixture
def committer(control_plane, book, unsent):
    control = control_plane.client()
    committer = Committer(control, book, unsent)
    yield committer
    control.stopping.set()
    control.close()


def outcome(book, chunk, *payloads, text="", stage=Stage.APP, attempt=1):
    claimed = [Claimed(chunk=chunk, attempt=attempt)]
    (lease,) = book.take(JOB, stage, claimed, lease_s=60, asked_at=0)
    lease.finished = True
    files = tuple(ResultFile(name=f"f{place}", size=len(data)) for place, data in enumerate(payloads))
    lines = (LogLine(ts=NOW, stream="stdout", text=text),) if text else ()
    result = AttemptResult(chunk=chunk, attempt=attempt, ended_at=NOW, files=files)
    return Outcome(lease=lease, result=result, payloads=payloads, lines=lines)


def claimed(control_plane, *chunks):
    for chunk in chunks:
        control_plane.add(Stage.APP, chunk, data=b"")
        control_plane.tasks[Stage.APP, chunk].held = True
        control_plane.tasks[Stage.APP, chunk].attempt = 1


def test_the_tail_holds_every_payload_once_and_the_lines_of_all(book):
    request, tail = build_commit(
        JOB, Stage.APP, [outcome(book, 0, b"a", b"bc", text="x"), outcome(book, 1, b"d")], []
    )
    spans = [(it.offset, it.size) for result in request.results for it in result.files]
    assert [tail[at : at + size] for at, size in spans] == [b"a", b"bc", b"d"]
    (segment,) = request.logs
    assert (segment.first_chunk, segment.last_chunk, segment.lines, segment.offset) == (0, 0, 1, 4)
    assert len(tail) == 4 + segment.size + segment.texts_size


def test_what_is_flushed_together_goes_in_one_call(committer, control_plane, book):
    claimed(control_plane, 0, 1, 2)
    for chunk in range(3):
        committer.add(outcome(book, chunk, b"r%d" % chunk, text="line"))
    committer.start()
    committer.stop(10)
    assert control_plane.calls["commit"] == 1
    assert control_plane.tasks[Stage.APP, 2].files == {"f0": b"r2"}
    assert [line["c"] for line in control_plane.lines] == [0, 1, 2]
    assert control_plane.lines[0] == {
        "t": 1767312000000000,
        "c": 0,
        "a": 1,
        "s": "stdout",
        "l": "UNKNOWN",
        "m": "line",
    }
    assert book.all() == []


def test_what_tasks_printed_before_goes_before_what_they_printed_last(committer, control_plane, book, unsent):
    claimed(control_plane, 0)
    early = LogLine(ts=NOW, stream="stdout", text="early")
    for stage in (Stage.APP, Stage.PARTITION):
        unsent.add(JOB, stage, [(0, 1, [early])])
    committer.send([outcome(book, 0, b"x", text="late")])
    assert [line["m"] for line in control_plane.lines] == ["early", "late"]
    assert unsent.stages() == [(JOB, Stage.PARTITION)]


def test_a_commit_without_an_answer_is_repeated(committer, control_plane, book):
    claimed(control_plane, 0)
    control_plane.answers["commit"] = [503, 0, 503]
    committer.send([outcome(book, 0, b"x")])
    assert control_plane.calls["commit"] == 4
    assert control_plane.tasks[Stage.APP, 0].result.reason is None


def test_a_commit_is_given_up_once_all_its_leases_are_lost(committer, control_plane, book):
    claimed(control_plane, 0)
    control_plane.answers["commit"] = [503] * 9
    one = outcome(book, 0, b"x")
    one.lease.end(EndReason.CANCELLED)
    committer.send([one])
    assert control_plane.calls["commit"] == 1
    assert book.all() == []


def test_an_outcome_that_is_refused_does_not_take_others_with_it(committer, control_plane, book):
    claimed(control_plane, 0, 1)
    control_plane.answers["commit"] = [413, 413]
    committer.send([outcome(book, 0, b"x"), outcome(book, 1, b"y")])
    first, second = (control_plane.tasks[Stage.APP, chunk].result for chunk in (0, 1))
    assert (first.reason, first.files) == (EndReason.RUNNER_FAILED, ())
    assert "413" in first.message
    assert second.reason is None


def test_a_late_attempt_is_dropped_without_harm(committer, control_plane, book):
    claimed(control_plane, 0)
    control_plane.tasks[Stage.APP, 0].attempt = 2
    committer.send([outcome(book, 0, b"x")])
    assert control_plane.tasks[Stage.APP, 0].result is None
    assert book.all() == []


def test_outcomes_wait_a_moment_for_company(committer, book, monkeypatch):
    monkeypatch.setattr(module, "FLUSH_BYTES", 10)
    sent = []
    monkeypatch.setattr(committer, "send", sent.append)
    committer.add(outcome(book, 0, b"x"))
    assert committer._due > 0
    committer.add(outcome(book, 1, b"x" * 10))
    assert committer._due == 0
    assert [it.lease.chunk for it in committer._take()] == [0, 1]
