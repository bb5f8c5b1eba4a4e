import pytest
from structlog.testing import capture_logs

from api.log_reader import LogReader, Places
from api.log_scan import LineFilter
from gridloom.errors import StoreUnavailable
from gridloom.states import Stage
from scheduler.log_merge import LogMerger
from storage.folder import FolderStore
from storage.repositories import accounts, logs
from tests.fixtures.log_lines import line, store_lines
from tests.unit.storage.repositories.test_jobs import create


@pytest.fixture(autouse=True)
def short_runs(monkeypatch):
    monkeypatch.setattr(logs, "RUN", 4)


@pytest.fixture
def store(tmp_path):
    return FolderStore(tmp_path / "objects", durable=False)


@pytest.fixture
def job_id(database):
    with database.write() as connection:
        return create(connection, accounts.create_account(connection, "ada"))


@pytest.fixture
def printed(database, store, job_id):
    def add(*texts, stage=Stage.APP, chunk=0):
        return store_lines(database, store, job_id, stage, [(chunk, 1, [line(text) for text in texts])])

    return add


@pytest.fixture
def merger(database, store):
    return LogMerger(database, store, after_s=0)


def texts(database, store, job_id, start=0, **wanted):
    reader = LogReader(database=database, store=store)
    span = Places(start, reader.total(job_id))
    page = reader.page(job_id, LineFilter(**wanted), span, limit=999, within_s=9)
    return [it.entry.text for it in page.lines]


def keys(store, job_id):
    return {it.key for it in store.list(f"logs/{job_id}")}


def test_a_run_becomes_one_object_and_every_place_stays(database, store, job_id, printed, merger):
    for number in range(6):
        printed(f"a{number}", f"b{number}", chunk=number)
    whole = texts(database, store, job_id)
    assert merger.merge_due() == 1
    assert len(keys(store, job_id)) == 3
    for start in range(13):
        assert texts(database, store, job_id, start) == whole[start:]
    assert texts(database, store, job_id, search="B2") == ["b2"]
    assert texts(database, store, job_id, chunks={Stage.APP: {1}}) == ["a1", "b1"]
    assert merger.merge_due() == 0


def test_stages_are_not_mixed(database, store, job_id, printed, merger):
    for number, stage in enumerate((Stage.PARTITION, Stage.PARTITION, Stage.APP, Stage.APP)):
        printed(f"{number}", stage=stage)
    merger.merge_due()
    assert len(keys(store, job_id)) == 2
    assert texts(database, store, job_id, chunks={Stage.APP: None}) == ["2", "3"]


def test_large_segments_stay_as_they_are(database, store, job_id, printed, merger, monkeypatch):
    monkeypatch.setattr("scheduler.log_merge.MOST_LINES", 7)
    before = {printed("x", "y") for _ in range(4)}
    assert (merger.merge_due(), merger.merge_due()) == (1, 0)
    assert keys(store, job_id) == before


def test_a_damaged_segment_leaves_its_neighbours_as_they_are(database, store, job_id, printed, merger):
    for number in range(4):
        key = printed(f"{number}")
    store.put_bytes(key, b"no zstd")
    with capture_logs() as logged:
        assert (merger.merge_due(), merger.merge_due()) == (1, 0)
    assert [it["event"] for it in logged] == ["log_run_unreadable"]
    assert texts(database, store, job_id) == ["0", "1", "2"]


def test_whatever_a_crash_interrupts_no_line_is_lost_and_the_next_try_ends_it(
    database, store, job_id, printed, merger, monkeypatch
):
    for number in range(4):
        printed(f"{number}")
    monkeypatch.setattr(logs, "replace", broken)
    with pytest.raises(StoreUnavailable):
        merger.merge_due()
    assert texts(database, store, job_id) == ["0", "1", "2", "3"]
    monkeypatch.undo()
    monkeypatch.setattr(logs, "RUN", 4)
    monkeypatch.setattr(type(store), "delete", broken)
    with pytest.raises(StoreUnavailable):
        merger.merge_due()
    assert texts(database, store, job_id) == ["0", "1", "2", "3"]


def test_of_two_who_merge_the_same_run_one_wins(database, store, job_id, printed, merger):
    for number in range(4):
        printed(f"{number}")
    with database.read() as connection:
        (last,) = logs.runs(connection, 0, 9)
        run = logs.run_of(connection, last)
    merger.merge_due()
    before = keys(store, job_id)
    with database.write() as connection:
        assert not logs.replace(connection, run, {"key": "other", "size": 1, "texts_size": 1})
    assert keys(store, job_id) == before
    assert texts(database, store, job_id) == ["0", "1", "2", "3"]


def test_a_reader_whose_segments_are_merged_meanwhile_reads_on(database, store, job_id, printed, merger):
    for number in range(4):
        printed(f"{number}")
    reader = LogReader(database=database, store=store)
    found = reader.segments(job_id, LineFilter(), Places(0, 4))
    first = [it.entry.text for it in next(found)[0]]
    merger.merge_due()
    rest = [it.entry.text for lines, _ in found for it in lines]
    assert first + rest == ["0", "1", "2", "3"]


def test_a_thread_merges_what_is_due(database, store, job_id, printed, merger):
    for number in range(4):
        printed(f"{number}")
    merger.start()
    deadline = 200
    while len(keys(store, job_id)) > 1 and (deadline := deadline - 1):
        merger._stopped.wait(0.05)
    merger.stop(5)
    assert len(keys(store, job_id)) == 1


def broken(*_arguments, **_more):
    raise StoreUnavailable("broken")
