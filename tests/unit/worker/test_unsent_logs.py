from structlog.testing import capture_logs

from gridloom.states import Stage
from tests.fixtures.log_lines import line
from worker import unsent_logs
from worker.unsent_logs import UnsentLogs, laid_out


def added(unsent, *texts, stage=Stage.APP):
    unsent.add("job", stage, [(0, 1, [line(text) for text in texts])])


def test_segments_stay_the_same_until_they_are_dropped():
    unsent = UnsentLogs()
    added(unsent, "one")
    first = unsent.of("job", Stage.APP)
    added(unsent, "two")
    assert unsent.of("job", Stage.APP)[:1] == first
    unsent.drop("job", Stage.APP, first)
    assert [segment.lines for segment, _ in unsent.of("job", Stage.APP)] == [1]
    unsent.drop("job", Stage.APP, unsent.of("job", Stage.APP))
    assert (bool(unsent), unsent.stages()) == (False, [])


def test_without_lines_there_is_no_segment():
    unsent = UnsentLogs()
    added(unsent)
    assert unsent.of("job", Stage.APP) == []


def test_stages_are_kept_apart():
    unsent = UnsentLogs()
    for stage in (Stage.APP, Stage.PARTITION):
        added(unsent, "x", stage=stage)
    assert unsent.stages() == [("job", Stage.APP), ("job", Stage.PARTITION)]
    assert len(unsent.of("job", Stage.APP)) == 1


def test_too_much_is_let_go_aloud(monkeypatch):
    monkeypatch.setattr(unsent_logs, "_MOST_LINES", 2)
    unsent = UnsentLogs()
    with capture_logs() as logged:
        for text in "abc":
            added(unsent, text)
    assert [it["event"] for it in logged] == ["live_logs_dropped"]
    assert not unsent


def test_segments_lie_one_behind_the_other():
    unsent = UnsentLogs()
    for text in "ab":
        added(unsent, text)
    parcels = unsent.of("job", Stage.APP)
    segments, tail = laid_out(parcels, 7)
    assert [it.offset for it in segments] == [7, 7 + len(parcels[0][1])]
    assert tail == parcels[0][1] + parcels[1][1]
