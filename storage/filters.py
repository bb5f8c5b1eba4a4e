"""Filters of lists: what a client may compare with what, turned into SQL; all of a request's filters must hold."""

import operator
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from pydantic.alias_generators import to_snake
from sqlalchemy import ColumnElement, Select, and_, or_

from gridloom.errors import BadInput
from storage.filter_values import NEGATIVE, ORDERED, Condition, Filter, FilterField, Kind, Values, read_values
from storage.json_members import member_number, member_text, member_truth, member_type
from storage.text_match import matches

__all__ = ["Condition", "Filter", "FilterField", "Kind", "apply", "conditions"]

MOST_FILTERS = 50
_DEEPEST_PATH = 10
_LONGEST_NAME = 500

_ORDERS: dict[Condition, Callable[[Any, Any], ColumnElement[bool]]] = {
    Condition.GT: operator.gt,
    Condition.GTE: operator.ge,
    Condition.LT: operator.lt,
    Condition.LTE: operator.le,
}


def apply(query: Select[Any], filters: Sequence[Filter], fields: Mapping[str, FilterField]) -> Select[Any]:
    """Return `query` narrowed to the rows for which every filter holds.

    `fields` are known by their names in snake_case, dots included; clients may write camelCase too. A field that is
    NULL equals only null: NEQ and NOT_IN are the exact opposites of EQ and IN. LIKE minds no case, takes `%` and `_`
    as SQL does, and finds a text without `%` anywhere.

    Raises:
        BadInput: naming the filter by its index and the member at fault, such as `filters[2].value`.
    """
    return query.where(*conditions(filters, fields)) if filters else query


def conditions(filters: Sequence[Filter], fields: Mapping[str, FilterField]) -> list[ColumnElement[bool]]:
    """Return one SQL condition for each filter.

    Raises:
        BadInput: as `apply`.
    """
    if len(filters) > MOST_FILTERS:
        raise BadInput(f"{len(filters)} filters are too many; the limit is {MOST_FILTERS}", field="filters")
    return [_condition(f"filters[{place}]", it, fields) for place, it in enumerate(filters)]


def _condition(place: str, it: Filter, fields: Mapping[str, FilterField]) -> ColumnElement[bool]:
    known, path = _find(f"{place}.field", it.field, fields)
    values = read_values(place, it, known)
    found = [_compared(operand, it.condition, present) for operand, present in _operands(known, path, values)]
    if values.null:
        null = _is_null(known, path)
        found.append(~null if it.condition in NEGATIVE else null)
    return and_(*found) if it.condition in NEGATIVE else or_(*found)


def _find(place: str, name: str, fields: Mapping[str, FilterField]) -> tuple[FilterField, tuple[str, ...]]:
    """Return the field of a name, and the path inside it if it is JSON."""
    whole, (root, *path) = to_snake(name[:_LONGEST_NAME]), name[:_LONGEST_NAME].split(".")
    if whole in fields:
        return fields[whole], ()
    known = fields.get(to_snake(root))
    if known is None or known.kind is not Kind.JSON:
        raise BadInput(f"there is no field {name[:60]!a}; use {', '.join(fields)}", field=place)
    hidden = any(step.replace("_", "").lower() in known.hidden for step in path)
    if hidden or len(path) > _DEEPEST_PATH or not all(path) or '"' in name:
        raise BadInput(f"{name[:60]!a} can't be filtered by", field=place)
    return known, tuple(path)


def _operands(
    known: FilterField, path: tuple[str, ...], values: Values
) -> list[tuple[ColumnElement[Any], list[Any]]]:
    """Return what to compare with which values; a JSON member is compared with each type of value apart."""
    if known.kind is not Kind.JSON:
        return [(known.column, values.all)] if values.all else []
    members = (
        (member_text, values.texts),
        (member_number, values.numbers),
        (member_truth, values.truths),
    )
    return [(member(known.column, path), present) for member, present in members if present]


def _compared(operand: ColumnElement[Any], condition: Condition, values: list[Any]) -> ColumnElement[bool]:
    if condition is Condition.LIKE:
        return matches(operand, values[0])
    if condition in ORDERED:
        return _ORDERS[condition](operand, values[0])
    if condition in NEGATIVE:
        return or_(operand.is_(None), operand.not_in(values))
    return operand == values[0] if len(values) == 1 else operand.in_(values)


def _is_null(known: FilterField, path: tuple[str, ...]) -> ColumnElement[bool]:
    if known.kind is not Kind.JSON:
        return known.column.is_(None)
    kind = member_type(known.column, path)
    return or_(kind.is_(None), kind == "null")
