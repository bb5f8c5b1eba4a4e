"""Shapes of filtered lists, the same in every API."""

from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from api.shapes.base import PaginationRequest, Shape, null_is
from storage.filters import Condition, Filter


def _untagged(value: Any) -> Any:
    """Return a tagged value bare; a list may hold tagged ones."""
    bare = _bare(value)
    return [_bare(it) for it in bare] if isinstance(bare, list) else bare


def _bare(value: Any) -> Any:
    tagged = isinstance(value, dict) and "value" in value and set(value) <= {"@type", "value"}
    return value["value"] if tagged else value


def _full_name(value: Any) -> Any:
    """Return a condition's published name; EQ and the like will do, and nothing means equality."""
    if isinstance(value, str) and not value.startswith("FILTER_CONDITION_"):
        return f"FILTER_CONDITION_{value.upper() or 'UNDEFINED'}"
    return Condition.UNDEFINED if value is None else value


class FilterMember(Shape):
    """One filter; its value is bare JSON or tagged as google.protobuf.Value."""

    field: str
    condition: Annotated[Condition, BeforeValidator(_full_name)] = Condition.UNDEFINED
    value: Annotated[Any, BeforeValidator(_untagged)] = None


class FilterRequest(Shape):
    """Which rows of a list, in which order; all filters must hold."""

    pagination: Annotated[PaginationRequest, null_is({})] = Field(default_factory=PaginationRequest)
    filters: Annotated[list[FilterMember], null_is([])] = Field(default_factory=list)
    order_by: Annotated[str, null_is("")] = ""

    def wanted(self) -> list[Filter]:
        """Return the filters as the storage takes them."""
        return [Filter(field=it.field, condition=it.condition, value=it.value) for it in self.filters]
