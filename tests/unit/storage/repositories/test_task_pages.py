import pytest

from gridloom.states import Stage
from storage.repositories import accounts, task_pages, tasks
from storage.spans import Span
from tests.unit.storage.repositories.test_jobs import create


@pytest.fixture
def connection(database):
    with database.write() as connection:
        yield connection


@pytest.fixture
def job_id(connection):
    job_id = create(connection, accounts.create_account(connection, "ada"))
    rows = [{"job_id": job_id, "stage": Stage.APP, "chunk": chunk} for chunk in range(5)]
    tasks.insert_new(connection, [*rows, {"job_id": job_id, "stage": Stage.PARTITION, "chunk": 0}])
    return job_id


@pytest.mark.parametrize("order", task_pages.ORDERS)
@pytest.mark.parametrize(("descending", "wanted"), [(False, [2, 3]), (True, [2, 1])])
def test_a_page_lies_where_its_offset_says(connection, job_id, order, descending, wanted):
    page = task_pages.page(connection, job_id, Span(order_by=order, descending=descending, limit=2, offset=2))
    assert [row.chunk for row in page] == wanted


def test_leased_tasks_of_any_stage_are_running(connection, job_id):
    assert task_pages.running(connection, [job_id]) == {}
    connection.execute(tasks.tasks.update().where(tasks.tasks.c.chunk == 0).values(state="Received"))
    assert task_pages.running(connection, [job_id]) == {job_id: 2}
    assert task_pages.running(connection, []) == {}
    assert task_pages.find(connection, job_id, Stage.APP, 0).state == "Received"
    assert task_pages.find(connection, job_id, Stage.APP, 5) is None
