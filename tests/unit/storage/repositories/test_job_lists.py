from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import event, update

from gridloom.errors import BadInput
from gridloom.ids import new_uuid
from gridloom.states import JobState
from storage.filters import Condition, Filter
from storage.repositories import accounts, job_lists, jobs
from storage.spans import Span
from storage.tables import jobs as table

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


@pytest.fixture
def ada(connection):
    return accounts.create_account(connection, "ada")


@pytest.fixture
def create(connection, ada):
    base = {"app_tag": "a", "partitioner_tag": "p", "assembler_tag": "z", "params": {}, "config": {}}

    def make(*, owner_id=ada, **values):
        job_id = new_uuid()
        later = {
            name: values.pop(name)
            for name in ("state", "created_at", "ended_at", "chunks", "price")
            if name in values
        }
        jobs.create(connection, base | {"id": job_id, "owner_id": owner_id, "name": "job"} | values)
        if later:
            connection.execute(update(table).where(table.c.id == job_id).values(**later))
        return job_id

    return make


def ids(page):
    return [row.id for row in page.rows]


@pytest.mark.parametrize("order", job_lists.ORDERS)
def test_pages_follow_each_other_in_every_order(connection, ada, create, order):
    made = {create(name=name) for name in "cab"}
    create(owner_id=accounts.create_account(connection, "bob"))
    pages = [
        job_lists.page(connection, ada, Span(order_by=order, limit=2, offset=offset)) for offset in (0, 2, 4)
    ]
    assert [len(page.rows) for page in pages] == [2, 1, 0]
    assert {row.id for page in pages for row in page.rows} == made
    assert {page.total for page in pages} == {3}
    forwards = job_lists.page(connection, ada, Span(order_by=order, descending=False, limit=9))
    assert list(reversed(forwards.rows)) == [row for page in pages for row in page.rows]


@pytest.mark.parametrize("descending", [False, True])
def test_jobs_without_a_time_come_last_in_both_directions(connection, ada, create, descending):
    ended = [create(ended_at=NOON + timedelta(hours=n), state=JobState.COMPLETE) for n in range(3)]
    drafts = [create(created_at=NOON + timedelta(hours=n)) for n in range(3)]
    expected = ended[::-1] + drafts[::-1] if descending else ended + drafts
    for limit in (1, 2, 4, 6):
        read = []
        for offset in range(0, 7, limit):
            span = Span(order_by="ended_at", descending=descending, limit=limit, offset=offset)
            read += ids(job_lists.page(connection, ada, span))
        assert read == expected


@pytest.mark.parametrize(
    ("field", "condition", "value", "found"),
    [
        ("state", Condition.EQ, "JOB_STATE_COMPLETE", "b"),
        ("state", Condition.LIKE, "complete", "b"),
        ("name", Condition.LIKE, "NIGHT", "ab"),
        ("endedAt", Condition.EQ, None, "ac"),
        ("completedAt", Condition.GTE, "2026-01-01T13:00:00+01:00", "b"),
        ("numChunks", Condition.GT, 4, "b"),
        ("paymentAmount", Condition.EQ, 1.5, "b"),
        ("priority", Condition.IN, ["EXECUTION_PRIORITY_NORMAL"], "bc"),
        ("config.taskTimeout", Condition.EQ, 60, "a"),
        ("config.task_timeout", Condition.EQ, 0, "bc"),
        ("config.isTestJob", Condition.NEQ, True, "bc"),
        ("params.app.size", Condition.LT, 3, "c"),
        ("params.app.size", Condition.EQ, "3", "b"),
        ("dataSource.dataSourceDescriptor", Condition.EQ, "url", "a"),
        ("data_source.data_source_descriptor", Condition.LIKE, "ur", "a"),
        ("dataSource.params.url", Condition.LIKE, "https://%", "a"),
        ("dataDestination", Condition.EQ, None, "abc"),
        ("appId", Condition.EQ, "hello@0.1", "a"),
        ("id", Condition.IN, ["none", None], ""),
    ],
)
def test_what_jobs_are_filtered_by(connection, ada, create, field, condition, value, found):
    made = {
        create(
            name="nightly run",
            config={"task_timeout_s": 60, "is_test_job": True},
            params={"app": {"size": 7}},
            priority=1,
            template_info={"app_id": "hello@0.1"},
            data_source={"dataSourceDescriptor": "url", "params": {"url": "https://x/y"}},
        ): "a",
        create(
            name="Night",
            params={"app": {"size": "3"}},
            state="JOB_STATE_COMPLETE",
            ended_at=NOON,
            chunks=5,
            price=150_000_000,
        ): "b",
        create(params={"app": {"size": 2}}): "c",
    }
    filters = [Filter(field=field, condition=condition, value=value)]
    page = job_lists.page(connection, ada, Span(limit=9, order_by="created_at", descending=False), filters)
    assert "".join(made[job_id] for job_id in ids(page)) == found
    assert page.total == len(found)


def test_filters_reach_neither_deleted_jobs_nor_those_of_others(connection, ada, create):
    jobs.remove(connection, ada, create())
    create(owner_id=accounts.create_account(connection, "bob"))
    filters = [Filter(field="name", condition=Condition.NEQ, value="x")]
    assert job_lists.page(connection, ada, Span(limit=9), filters).total == 0


def test_credentials_in_old_params_can_not_be_guessed_by_filters(connection, ada):
    for name in (
        "dataSource.params.secretKey",
        "data_destination.params.secret_key",
        "dataSource.params.password",
    ):
        with pytest.raises(BadInput, match="can't be filtered by"):
            job_lists.page(
                connection, ada, Span(limit=1), [Filter(field=name, condition=Condition.LIKE, value="A%")]
            )


@pytest.mark.parametrize("order", sorted(job_lists.ORDERS))
@pytest.mark.parametrize("descending", [False, True])
def test_sqlite_finds_every_order_in_an_index(connection, ada, create, order, descending):
    if connection.dialect.name != "sqlite":
        pytest.skip("PostgreSQL's plans depend on what it knows of the rows")
    create()
    asked: list[tuple[str, tuple[object, ...]]] = []

    def note(_connection, _cursor, statement, parameters, _context, _many):
        asked.append((statement, parameters))

    event.listen(connection, "before_cursor_execute", note)
    job_lists.page(connection, ada, Span(limit=5, order_by=order, descending=descending))
    event.remove(connection, "before_cursor_execute", note)
    for statement, parameters in asked:
        if "ORDER BY" in statement:
            plan = str(connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters).all())
            assert "INDEX ix_jobs_by_" in plan
            assert "TEMP B-TREE" not in plan
    assert any("ORDER BY" in statement for statement, _ in asked)
