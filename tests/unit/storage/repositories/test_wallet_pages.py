"""An account's transactions are found by whatever is shown of them, and by the index alone."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import event

from gridloom.errors import BadInput
from gridloom.money import UNIT
from scheduler import ending
from storage.filter_values import Condition, Filter
from storage.repositories import coupons, wallet, wallet_pages
from storage.spans import Span

NEWEST = Span(limit=100)


@pytest.fixture
def account(fabric):
    """Return an account with a coupon of 5, then a top-up of 2 with notes, then jobs of 1 and 3."""
    ada = fabric.owner()
    fabric.write(coupons.create, "SPRING", 5 * UNIT, 1, None)
    fabric.write(coupons.redeem, ada, "SPRING")
    gift = wallet.Move(
        kind=wallet.Kind.TOP_UP,
        settles="top_up:1",
        account=ada,
        amount=2 * UNIT,
        description="gift",
        notes="paid in cash",
    )
    fabric.write(wallet.post, gift)
    for price, template in ((1, "one"), (3, "three")):
        job_id = fabric.run(name=f"job of {price}", template_id=template)
        fabric.set_job(job_id, price=price * UNIT)
        fabric.write(ending.abort, job_id, fabric.settings)
    return ada


def amounts(fabric, account, *filters, span=NEWEST):
    with fabric.database.read() as connection:
        rows, total = wallet_pages.page(connection, account, span, filters)
    assert total >= len(rows)
    return [row.amount // UNIT for row in rows]


def equal(name, value):
    return Filter(field=name, value=value)


def test_every_shown_member_can_be_filtered_by(fabric, account):
    with fabric.database.read() as connection:
        job = wallet_pages.page(connection, account, NEWEST)[0][0]
    for name, value in {
        "id": job.id,
        "hash": job.hash,
        "accountTo": "house:fabric",
        "relatedEntity.type": "job",
        "relatedEntity.id": job.related["id"],
        "relatedEntityData.jobId": job.related["id"],
        "relatedEntityData.jobName": "job of 3",
        "relatedEntityData.jobTemplate": "three",
        "description": "job of 3",
        "balance": 3,
    }.items():
        assert amounts(fabric, account, equal(name, value))[0] == 3, name
    assert amounts(fabric, account, equal("relatedEntityData.couponCode", "SPRING")) == [5]
    assert amounts(fabric, account, equal("relatedEntity.name", "SPRING")) == [5]
    assert amounts(fabric, account, equal("notes", "paid in cash")) == [2]
    assert amounts(fabric, account, equal("accountFrom", account)) == [3, 1]
    assert amounts(fabric, account, equal("accountTo", account)) == [2, 5]
    assert amounts(fabric, account, equal("relatedEntity.type", "")) == [2]


@pytest.mark.parametrize(
    ("order", "expected"),
    [
        ("", [5, 2, 1, 3]),
        ("created_at", [5, 2, 1, 3]),
        ("amount", [1, 2, 3, 5]),
        ("balance", [3, 5, 1, 2]),
        ("transaction_type", [5, 1, 3, 2]),
        ("description", [5, 2, 1, 3]),
    ],
)
def test_lists_come_in_any_order(fabric, account, order, expected):
    ascending = Span(limit=100, order_by=order, descending=False)
    assert amounts(fabric, account, span=ascending) == expected
    assert amounts(fabric, account, span=Span(limit=100, order_by=order)) == expected[::-1]


def test_an_order_that_is_not_offered_is_refused(fabric, account):
    with pytest.raises(BadInput):
        amounts(fabric, account, span=Span(limit=1, order_by="hash"))


def test_usage_sums_days_and_templates(fabric, account):
    now = datetime.now(UTC)
    since, until = now - timedelta(days=1), now + timedelta(days=1)
    with fabric.database.read() as connection:
        rows = wallet_pages.usage(connection, account, since, until, "")
        assert {(row.template_id, int(row.amount) // UNIT) for row in rows} == {("one", 1), ("three", 3)}
        assert {row.day for row in rows} <= {
            (it - datetime(1970, 1, 1, tzinfo=UTC)).days for it in (since, now)
        }
        assert len(wallet_pages.usage(connection, account, since, until, "one")) == 1
        assert wallet_pages.usage(connection, account, until, until, "") == []


def test_all_transactions_are_yielded_the_newest_first(fabric, account):
    with fabric.database.read() as connection:
        rows = list(wallet_pages.every(connection, account))
    assert [(row.amount // UNIT, row.balance // UNIT) for row in rows] == [(3, 3), (1, 6), (2, 7), (5, 5)]


def test_what_is_filtered_and_sorted_is_read_from_the_index_alone(fabric, account):
    if not fabric.database.is_sqlite:
        pytest.skip("PostgreSQL decides by statistics")
    wanted = [
        Filter(field="description", condition=Condition.LIKE, value="job"),
        equal("relatedEntityData.jobTemplate", "one"),
        Filter(field="createdAt", condition=Condition.GT, value="2020-01-01T00:00:00Z"),
    ]
    seen = []
    with fabric.database.read() as connection:
        event.listen(connection, "before_cursor_execute", lambda *it: seen.append((it[2], it[3])))
        wallet_pages.page(connection, account, Span(limit=1, order_by="amount"), wanted)
        wallet_pages.usage(connection, account, datetime.now(UTC), datetime.now(UTC), "")
        count, ids, _, days = [it for it in seen if "entries" in it[0]]
        for statement, parameters in (count, ids, days):
            plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters)
            assert any("USING COVERING INDEX ix_entries_account" in row.detail for row in plan), statement
