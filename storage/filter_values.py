"""Filters as clients write them, and their values checked against the fields and made ready for SQL."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from enum import Enum, StrEnum, auto
from typing import Any

from sqlalchemy import BigInteger, ColumnElement, Float, literal

from gridloom.errors import BadInput
from storage.text_match import pattern_of

MOST_VALUES = 1000
_LONGEST_PATTERN = 1000
_INT64 = range(-(2**63), 2**63)


class Condition(StrEnum):
    """How a field is compared with a value; the values are the published names."""

    UNDEFINED = "FILTER_CONDITION_UNDEFINED"  #: the same as EQ
    EQ = "FILTER_CONDITION_EQ"
    NEQ = "FILTER_CONDITION_NEQ"
    GT = "FILTER_CONDITION_GT"
    GTE = "FILTER_CONDITION_GTE"
    LT = "FILTER_CONDITION_LT"
    LTE = "FILTER_CONDITION_LTE"
    IN = "FILTER_CONDITION_IN"
    NOT_IN = "FILTER_CONDITION_NOT_IN"
    LIKE = "FILTER_CONDITION_LIKE"


ORDERED = frozenset({Condition.GT, Condition.GTE, Condition.LT, Condition.LTE})
NEGATIVE = frozenset({Condition.NEQ, Condition.NOT_IN})
_LISTED = frozenset({Condition.IN, Condition.NOT_IN})


class Kind(Enum):
    """What values a field takes."""

    TEXT = auto()
    NUMBER = auto()
    TRUTH = auto()
    TIME = auto()  #: RFC 3339; UTC when it has no offset
    CHOICE = auto()  #: one of the names in `choices`
    JSON = auto()  #: a JSON column; dots in a filter's field lead to its members


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """One condition, as a client wrote it; `value` is bare JSON, a list of such for IN and NOT_IN."""

    field: str
    condition: Condition = Condition.EQ
    value: Any = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FilterField:
    """What may be filtered by: an SQL expression and the kind of its values."""

    column: ColumnElement[Any]
    kind: Kind = Kind.TEXT
    choices: Mapping[str, Any] = field(default_factory=dict)  #: published name to what the column holds
    scale: int = 1  #: the column holds this many times the published number
    hidden: frozenset[str] = frozenset()  #: JSON members that filters may not reach; lower case, without `_`


@dataclass(frozen=True, slots=True, kw_only=True)
class Values:
    """A filter's values as SQL takes them, by JSON type; `null` tells whether null is among them."""

    null: bool
    texts: list[Any]
    numbers: list[Any]
    truths: list[Any]

    @property
    def all(self) -> list[Any]:
        """All values but null."""
        return [*self.texts, *self.numbers, *self.truths]


def read_values(place: str, it: Filter, known: FilterField) -> Values:
    """Return a filter's values; `place` names the filter in errors.

    Raises:
        BadInput: when a value has the wrong type for the field, or the condition doesn't suit the field or the value.
    """
    where = f"{place}.value"
    values = _listed(where, it)
    present = [value for value in values if value is not None]
    null = len(present) < len(values)
    if null and (it.condition in ORDERED or it.condition is Condition.LIKE):
        raise BadInput(f"{where}: null can't be compared by {it.condition}", field=where)
    if it.condition is Condition.LIKE:
        return Values(null=False, texts=[_pattern(place, known, present[0])], numbers=[], truths=[])
    if it.condition in ORDERED and known.kind in (Kind.CHOICE, Kind.TRUTH):
        raise BadInput(f"{it.field} has no order; use EQ, NEQ, IN or NOT_IN", field=f"{place}.condition")
    read = [_READERS[known.kind](where, known, value) for value in present]
    if it.condition in ORDERED and isinstance(read[0], bool):
        raise BadInput(f"{where}: true and false have no order", field=where)
    return Values(
        null=null,
        texts=[value for value in read if not isinstance(value, bool | ColumnElement)],
        numbers=[value for value in read if isinstance(value, ColumnElement)],
        truths=[value for value in read if isinstance(value, bool)],
    )


def _listed(where: str, it: Filter) -> list[Any]:
    if it.condition not in _LISTED:
        return [it.value]
    if not isinstance(it.value, list) or not it.value:
        raise BadInput(f"{where} must be a list of at least one value", field=where)
    if len(it.value) > MOST_VALUES:
        raise BadInput(f"{where} has {len(it.value)} values; the limit is {MOST_VALUES}", field=where)
    return it.value


def _pattern(place: str, known: FilterField, value: Any) -> str:
    texts = known.kind in (Kind.TEXT, Kind.JSON) or all(isinstance(it, str) for it in known.choices.values())
    if not texts or known.kind in (Kind.NUMBER, Kind.TRUTH, Kind.TIME):
        raise BadInput("LIKE needs a field of text", field=f"{place}.condition")
    if not isinstance(value, str) or len(value) > _LONGEST_PATTERN:
        where = f"{place}.value"
        raise BadInput(f"{where} must be a text of at most {_LONGEST_PATTERN} characters", field=where)
    return pattern_of(value)


def _text(where: str, _known: FilterField, value: Any) -> str:
    if not isinstance(value, str):
        raise _wrong(where, "a text")
    return value


def _number(where: str, known: FilterField, value: Any) -> ColumnElement[Any]:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise _wrong(where, "a number")
    try:
        exact = Decimal(str(value)) * known.scale
    except (InvalidOperation, ValueError):
        raise _wrong(where, "a number") from None
    if not exact.is_finite() or abs(exact.adjusted()) > 300:
        raise _wrong(where, "a number")
    whole = exact == exact.to_integral_value() and int(exact) in _INT64
    return literal(int(exact), BigInteger) if whole else literal(float(exact), Float)


def _truth(where: str, _known: FilterField, value: Any) -> bool:
    if value in ("true", "false"):
        return bool(value == "true")
    if not isinstance(value, bool):
        raise _wrong(where, "true or false")
    return value


def _time(where: str, _known: FilterField, value: Any) -> datetime:
    try:
        moment = datetime.fromisoformat(value)
    except (TypeError, ValueError):
        raise _wrong(where, "an RFC 3339 time such as 2026-01-31T12:00:00Z") from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _choice(where: str, known: FilterField, value: Any) -> Any:
    if not isinstance(value, str) or value not in known.choices:
        raise _wrong(where, f"one of {', '.join(known.choices)}")
    stored = known.choices[value]
    return literal(stored, BigInteger) if isinstance(stored, int) else stored


def _json(where: str, known: FilterField, value: Any) -> Any:
    if isinstance(value, bool | str):
        return value
    if isinstance(value, float) and not math.isfinite(value):
        raise _wrong(where, "a number")
    return _number(where, known, value)


def _wrong(where: str, wanted: str) -> BadInput:
    return BadInput(f"{where} must be {wanted}", field=where)


_READERS = {
    Kind.TEXT: _text,
    Kind.NUMBER: _number,
    Kind.TRUTH: _truth,
    Kind.TIME: _time,
    Kind.CHOICE: _choice,
    Kind.JSON: _json,
}
