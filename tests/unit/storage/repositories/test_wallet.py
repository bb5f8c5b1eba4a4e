"""Chips are neither made nor lost: every move has two sides, and happens once, whoever else moves some."""

import threading
from collections import Counter
from decimal import Decimal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import func, select
from sqlalchemy.exc import IntegrityError

from gridloom.errors import BadInput
from gridloom.ids import new_uuid
from gridloom.money import UNIT
from scheduler import ending
from storage.repositories import coupons, wallet
from storage.spans import Span
from storage.tables import balances, entries, reservations, transactions


def move(account, amount, **changes):
    values = {"kind": wallet.Kind.TOP_UP, "settles": new_uuid(), "description": "chips"}
    return wallet.Move(account=account, amount=amount, **values | changes)


def funds(fabric, account):
    with fabric.database.read() as connection:
        return wallet.funds(connection, account)


def assert_sound(fabric):
    """Check what must hold of the ledger at any time."""
    with fabric.database.read() as connection:
        assert (connection.execute(select(func.sum(entries.c.amount))).scalar() or 0) == 0
        sides = connection.execute(
            select(entries.c.transaction_id, func.count()).group_by(entries.c.transaction_id)
        )
        assert {number for _, number in sides} <= {2}
        for balance in connection.execute(select(balances)):
            query = select(transactions, entries.c.amount.label("moved"), entries.c.balance).join_from(
                entries, transactions
            )
            rows = connection.execute(
                query.where(entries.c.account == balance.account).order_by(entries.c.id)
            )
            total, previous = 0, ""
            for row in rows:
                total += row.moved
                assert (row.balance, abs(row.moved)) == (total, row.amount)
                assert row.hash == wallet.digest(previous, dict(row._mapping))
                previous = row.hash
            assert (balance.amount, balance.hash) == (total, previous)


def run_at_once(works):
    """Run functions in threads; return what each gave or raised."""
    answers = [None] * len(works)
    ready = threading.Barrier(len(works))

    def run(place, work):
        ready.wait()
        try:
            answers[place] = work()
        except Exception as error:
            answers[place] = error

    threads = [threading.Thread(target=run, args=it) for it in enumerate(works)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return answers


def test_an_account_is_opened_with_its_first_credits(fabric):
    ada, bob = fabric.owner("ada"), fabric.owner("bob")
    fabric.write(wallet.open_account, ada, Decimal("1.5"))
    fabric.write(wallet.open_account, bob, Decimal(0))
    assert (funds(fabric, ada).total, funds(fabric, bob).total) == (3 * UNIT // 2, 0)
    with pytest.raises(IntegrityError):
        fabric.write(wallet.open_account, ada, Decimal(1))
    assert_sound(fabric)


def test_what_is_reserved_is_there_but_can_not_be_spent_twice(fabric):
    ada, first, second = fabric.owner(), fabric.run(), fabric.run()
    fabric.write(wallet.post, move(ada, 10))
    fabric.write(wallet.reserve, ada, first, 10)
    assert (funds(fabric, ada).total, funds(fabric, ada).available) == (10, 0)
    for amount in (0, 1):
        with pytest.raises(BadInput) as refused:
            fabric.write(wallet.reserve, ada, second, amount)
        assert refused.value.field == "balance"
    fabric.set_job(first, price=25)
    fabric.write(ending.abort, first, fabric.settings)
    left = funds(fabric, ada)
    assert (left.total, left.reserved, left.available, left.due) == (-15, 0, -15, 15)
    assert_sound(fabric)


def test_a_job_that_was_started_without_a_reservation_gets_what_lacks(fabric):
    ada = fabric.owner()
    fabric.write(wallet.post, move(ada, -5))
    for price in (UNIT, 999 * UNIT, 3000 * UNIT):
        job_id = fabric.run()
        fabric.set_job(job_id, price=price)
        fabric.write(ending.abort, job_id, fabric.settings)
        assert funds(fabric, ada).total >= 0
    assert funds(fabric, ada).total == (1000 + 1000 + 3000 - 4000) * UNIT - 5
    assert_sound(fabric)


def test_nothing_is_settled_twice(fabric):
    ada, once = fabric.owner(), "top_up:invoice"
    fabric.write(wallet.post, move(ada, 1, settles=once))
    with pytest.raises(IntegrityError):
        fabric.write(wallet.post, move(ada, 1, settles=once))
    assert fabric.write(wallet.settled, once)
    assert not fabric.write(wallet.settled, "other")
    assert funds(fabric, ada).total == 1
    assert_sound(fabric)


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    moves=st.lists(st.tuples(st.sampled_from(["ada", "bob"]), st.integers(-(10**17), 10**17)), max_size=6),
    prices=st.lists(st.tuples(st.booleans(), st.integers(0, 10**12)), max_size=4),
)
def test_all_entries_sum_to_0_and_every_balance_is_the_sum_of_its_entries(fabric, moves, prices):
    for user, amount in moves:
        kind = wallet.Kind.TOP_UP if amount >= 0 else wallet.Kind.PAYMENT
        fabric.write(wallet.post, move(fabric.owner(user), amount, kind=kind))
    for reserved, price in prices:
        job_id = fabric.run()
        if reserved and funds(fabric, fabric.owner()).available > price:
            fabric.write(wallet.reserve, fabric.owner(), job_id, price)
        fabric.set_job(job_id, price=price)
        fabric.write(ending.abort, job_id, fabric.settings)
    assert_sound(fabric)


def test_runs_at_once_can_not_spend_the_same_chips(fabric):
    ada, jobs = fabric.owner(), [fabric.run() for _ in range(6)]
    fabric.write(wallet.post, move(ada, 10))
    answers = run_at_once([lambda it=it: fabric.write(wallet.reserve, ada, it, 4) for it in jobs])
    assert Counter(type(it) for it in answers) == {type(None): 2, BadInput: 4}
    assert funds(fabric, ada).available == 2
    with fabric.database.read() as connection:
        assert connection.execute(select(func.sum(reservations.c.amount))).scalar() == 8


def test_ends_and_top_ups_at_once_lose_nothing(fabric):
    jobs = [fabric.run() for _ in range(4)]
    ada = fabric.owner()
    for job_id in jobs:
        fabric.set_job(job_id, price=300 * UNIT)
    aborts = [lambda it=it: fabric.write(ending.abort, it, fabric.settings) for it in jobs for _ in range(2)]
    grants = [lambda: fabric.write(wallet.post, move(ada, UNIT)) for _ in range(4)]
    answers = run_at_once(aborts + grants)
    assert Counter(str(it) for it in answers[: len(aborts)]) == {"True": 4, "False": 4}
    assert all(isinstance(it, str) for it in answers[len(aborts) :])
    # Granted in steps of a thousand: two for jobs of twelve hundred, four more by the top-ups.
    assert funds(fabric, ada).total == (2000 + 4 - 1200) * UNIT
    assert_sound(fabric)


def test_one_coupon_is_not_redeemed_more_often_than_it_may_be(fabric):
    users = [fabric.owner(name) for name in ("ada", "bob", "eve")]
    coupon = fabric.write(coupons.create, "SPRING", 5, 2, None)
    answers = run_at_once(
        [lambda it=it: fabric.write(coupons.redeem, it, "SPRING") for it in users for _ in range(2)]
    )
    assert sum(not isinstance(it, Exception) for it in answers) == 2
    assert all(isinstance(it, BadInput) for it in answers if isinstance(it, Exception))
    assert sorted(funds(fabric, it).total for it in users) == [0, 5, 5]
    with fabric.database.read() as connection:
        rows, total = coupons.listed(connection, Span(limit=10))
    assert (total, rows[0].id, rows[0].used) == (1, coupon.id, 2)
    assert_sound(fabric)
