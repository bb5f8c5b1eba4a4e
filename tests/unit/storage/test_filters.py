"""What filters select is what the same comparison selects in Python, on both databases."""

import operator
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import BigInteger, Boolean, Column, Connection, Integer, MetaData, String, Table, select

from gridloom.errors import BadInput
from storage.columns import Instant
from storage.db import Database
from storage.filters import Condition, Filter, FilterField, Kind, apply
from storage.json_members import member_number
from storage.tables.base import Json

_THINGS = Table(
    "things",
    MetaData(),
    Column("id", Integer, primary_key=True),
    Column("name", String(100)),
    Column("size", Integer),
    Column("price", BigInteger),
    Column("done", Boolean),
    Column("made_at", Instant),
    Column("colour", Integer),
    Column("params", Json),
)
_COLOURS = {"RED": 1, "GREEN": 2, "NONE": 0}
FIELDS = {
    "name": FilterField(column=_THINGS.c.name),
    "size": FilterField(column=_THINGS.c.size, kind=Kind.NUMBER),
    "price": FilterField(column=_THINGS.c.price, kind=Kind.NUMBER, scale=100),
    "done": FilterField(column=_THINGS.c.done, kind=Kind.TRUTH),
    "made_at": FilterField(column=_THINGS.c.made_at, kind=Kind.TIME),
    "colour": FilterField(column=_THINGS.c.colour, kind=Kind.CHOICE, choices=_COLOURS),
    "params": FilterField(column=_THINGS.c.params, kind=Kind.JSON, hidden=frozenset({"secretkey"})),
    "params.app_size": FilterField(column=member_number(_THINGS.c.params, ["appSize"]), kind=Kind.NUMBER),
}
_START = datetime(2026, 1, 1, tzinfo=UTC)
_TEXTS = st.sampled_from(["", "a", "A", "Job 7", "job_7", "100%", "b\\c", "c'd", 'e"f', "ab", "null"])
_SIZES = st.sampled_from([-1, 0, 1, 2, 7, 2**31 - 1])
_TIMES = st.sampled_from([_START + timedelta(hours=n) for n in range(4)])
_MEMBERS = st.one_of(st.none(), st.booleans(), _TEXTS, _SIZES, st.sampled_from([0.5, 1.0, 1e300]))
_ROW = st.fixed_dictionaries(
    {
        "name": st.none() | _TEXTS,
        "size": st.none() | _SIZES,
        "price": st.none() | st.sampled_from([0, 50, 100, 155]),
        "done": st.none() | st.booleans(),
        "made_at": st.none() | _TIMES,
        "colour": st.none() | st.sampled_from(list(_COLOURS.values())),
        "params": st.fixed_dictionaries(
            {}, optional={"x": _MEMBERS, "app": st.fixed_dictionaries({"y": _MEMBERS})}
        ),
    }
)
_VALUES: dict[str, Any] = {
    "name": _TEXTS,
    "size": _SIZES | st.sampled_from([0.5, "7", 2**62, -(2.0**40)]),
    "price": st.sampled_from([0, 0.5, "1.55", 1, 1.001]),
    "done": st.booleans(),
    "madeAt": _TIMES.map(lambda at: at.isoformat().replace("+00:00", "Z")),
    "colour": st.sampled_from(list(_COLOURS)),
    "params.x": _MEMBERS.filter(lambda it: it is not None),
    "params.app.y": _MEMBERS.filter(lambda it: it is not None),
}
_ORDERS = {
    Condition.GT: operator.gt,
    Condition.GTE: operator.ge,
    Condition.LT: operator.lt,
    Condition.LTE: operator.le,
}
_SAME = (Condition.UNDEFINED, Condition.EQ, Condition.NEQ)
_AMONG = (Condition.IN, Condition.NOT_IN)


@st.composite
def _filters(draw: st.DrawFn) -> Filter:
    name = draw(st.sampled_from(list(_VALUES)))
    one = _VALUES[name]
    allowed = [*_SAME, *_AMONG]
    if name not in ("done", "colour"):
        allowed += _ORDERS
    if name == "name" or name.startswith("params"):
        allowed.append(Condition.LIKE)
    condition = draw(st.sampled_from(allowed))
    if condition in _AMONG:
        value: Any = draw(st.lists(one | st.none(), min_size=1, max_size=4))
    elif condition is Condition.LIKE:
        value = draw(st.text(alphabet="aAbJ7%_ \\'\"", max_size=4))
    elif condition in _ORDERS:
        value = draw(one.filter(lambda it: not isinstance(it, bool)))
    else:
        value = draw(one | st.none())
    return Filter(field=name, condition=condition, value=value)


def _holds(it: Filter, row: dict[str, Any]) -> bool:
    held = _held(it.field, row)
    if it.condition in _AMONG:
        return any(_equal(held, _read(it.field, each)) for each in it.value) is (it.condition is Condition.IN)
    if it.condition is Condition.LIKE:
        return isinstance(held, str) and _like(held, it.value)
    wanted = _read(it.field, it.value)
    if it.condition in _ORDERS:
        return _comparable(held, wanted) and _ORDERS[it.condition](held, wanted)
    return _equal(held, wanted) is (it.condition is not Condition.NEQ)


def _held(name: str, row: dict[str, Any]) -> Any:
    if name.startswith("params."):
        held: Any = row["params"]
        for step in name.split(".")[1:]:
            held = held.get(step) if isinstance(held, dict) else None
        return held
    held = row["made_at" if name == "madeAt" else name]
    return held / 100 if name == "price" and held is not None else held


def _read(name: str, value: Any) -> Any:
    if value is None or name.startswith("params."):
        return value
    read: dict[str, Any] = {
        "size": float,
        "price": float,
        "madeAt": datetime.fromisoformat,
        "colour": _COLOURS.get,
    }
    return read.get(name, lambda it: it)(value)


def _comparable(held: Any, wanted: Any) -> bool:
    if isinstance(held, bool) or isinstance(wanted, bool) or held is None:
        return isinstance(held, bool) and isinstance(wanted, bool)
    return isinstance(held, str) is isinstance(wanted, str)


def _equal(held: Any, wanted: Any) -> bool:
    if held is None or wanted is None:
        return held is wanted
    return _comparable(held, wanted) and bool(held == wanted)


def _like(text: str, pattern: str) -> bool:
    pieces = re.findall(r"\\[%_\\]|.", pattern, re.DOTALL)
    if "%" not in pieces:
        pieces = ["%", *pieces, "%"]
    wild = {"%": ".*", "_": "."}
    regex = "".join(wild.get(it) or re.escape(it[1] if len(it) == 2 else it) for it in pieces)
    return re.fullmatch(regex, text, re.IGNORECASE | re.DOTALL) is not None


@pytest.fixture
def connection(database_url: str) -> Iterator[Connection]:
    database = Database(database_url)
    with database.write() as connection:
        _THINGS.metadata.create_all(connection)
        yield connection
    database.close()


def test_filters_select_what_python_selects(connection: Connection) -> None:
    @settings(max_examples=150, deadline=None)
    @given(st.lists(_ROW, min_size=1, max_size=12), st.lists(_filters(), min_size=1, max_size=2))
    def check(rows: list[dict[str, Any]], filters: list[Filter]) -> None:
        connection.execute(_THINGS.delete())
        connection.execute(_THINGS.insert(), [row | {"id": place} for place, row in enumerate(rows)])
        found = connection.execute(apply(select(_THINGS.c.id), filters, FIELDS)).scalars()
        expected = {place for place, row in enumerate(rows) if all(_holds(it, row) for it in filters)}
        assert set(found) == expected

    check()


@pytest.mark.parametrize(
    ("filters", "place", "words"),
    [
        ([Filter(field="nome", value="x")], "filters[0].field", "use name, size"),
        ([Filter(field="name.first", value="x")], "filters[0].field", "no field"),
        ([Filter(field="", value="x")], "filters[0].field", "no field"),
        ([Filter(field="params.a.secret_key", value="x")], "filters[0].field", "can't be filtered"),
        ([Filter(field="params..x", value="x")], "filters[0].field", "can't be filtered"),
        ([Filter(field='params."', value="x")], "filters[0].field", "can't be filtered"),
        ([Filter(field="params" + ".x" * 11, value="x")], "filters[0].field", "can't be filtered"),
        ([Filter(field="name", value="x"), Filter(field="name", value=3)], "filters[1].value", "a text"),
        ([Filter(field="size", value="many")], "filters[0].value", "a number"),
        ([Filter(field="size", value="NaN")], "filters[0].value", "a number"),
        ([Filter(field="size", value=True)], "filters[0].value", "a number"),
        ([Filter(field="size", value=10**400)], "filters[0].value", "a number"),
        ([Filter(field="done", value=1)], "filters[0].value", "true or false"),
        ([Filter(field="made_at", value="yesterday")], "filters[0].value", "RFC 3339"),
        ([Filter(field="colour", value="BLUE")], "filters[0].value", "RED, GREEN, NONE"),
        ([Filter(field="params.x", value={"y": 1})], "filters[0].value", "a number"),
        ([Filter(field="name", condition=Condition.IN, value="x")], "filters[0].value", "a list"),
        ([Filter(field="name", condition=Condition.IN, value=[])], "filters[0].value", "at least one"),
        ([Filter(field="size", condition=Condition.IN, value=[1] * 1001)], "filters[0].value", "1000"),
        ([Filter(field="size", condition=Condition.GT, value=None)], "filters[0].value", "null"),
        ([Filter(field="params.x", condition=Condition.GT, value=True)], "filters[0].value", "no order"),
        ([Filter(field="colour", condition=Condition.GT, value="RED")], "filters[0].condition", "no order"),
        ([Filter(field="colour", condition=Condition.LIKE, value="R")], "filters[0].condition", "text"),
        ([Filter(field="size", condition=Condition.LIKE, value="1")], "filters[0].condition", "text"),
        ([Filter(field="name", condition=Condition.LIKE, value="x" * 1001)], "filters[0].value", "1000"),
        ([Filter(field="name", value="x")] * 51, "filters", "50"),
    ],
)
def test_what_cannot_be_compared_is_refused_by_index_and_member(
    filters: list[Filter], place: str, words: str
) -> None:
    with pytest.raises(BadInput, match=re.escape(words)) as refused:
        apply(select(_THINGS.c.id), filters, FIELDS)
    assert refused.value.field == place


def test_huge_numbers_are_compared_and_not_refused_by_the_database(connection: Connection) -> None:
    connection.execute(_THINGS.insert(), {"id": 1, "size": 5, "params": {"x": 10**400}})
    for value in (10**20, -(10**20), 1e200, 0.1):
        for name in ("size", "params.x", "params.app_size"):
            query = apply(
                select(_THINGS.c.id), [Filter(field=name, condition=Condition.IN, value=[value, 3])], FIELDS
            )
            assert connection.execute(query).scalars().all() == []


def test_a_name_with_its_dots_may_stand_for_a_field_of_its_own(connection: Connection) -> None:
    connection.execute(_THINGS.insert(), [{"id": n, "params": {"appSize": n}} for n in (1, 2)])
    for name in ("params.appSize", "params.app_size"):
        query = apply(select(_THINGS.c.id), [Filter(field=name, value="2")], FIELDS)
        assert connection.execute(query).scalars().all() == [2]
