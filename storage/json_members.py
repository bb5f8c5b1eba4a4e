"""Members of JSON columns as SQL values of one type, NULL where a member has another type; for both databases."""

from collections.abc import Sequence
from typing import Any, ClassVar

from sqlalchemy import Boolean, Float, Text, literal
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.expression import ColumnElement, FunctionElement
from sqlalchemy.types import TypeEngine

_LONGEST_NUMBER = 309  # characters; so many may be no double, and the cast would fail


class _Member(FunctionElement[Any]):
    """The member of `column` that lies at `path`; each subclass gives one aspect of it."""

    inherit_cache = True
    sqlite: ClassVar[str]
    postgresql: ClassVar[str]

    def __init__(self, column: ColumnElement[Any], path: Sequence[str]) -> None:
        super().__init__(column, *(literal(name, Text) for name in path))


class member_type(_Member):  # noqa: N801 - reads as the SQL function it is
    """The name of the member's JSON type; NULL when it is absent."""

    type: TypeEngine[Any] = Text()
    inherit_cache = True
    sqlite = "json_type({at})"
    postgresql = "jsonb_typeof({it})"


class member_text(_Member):  # noqa: N801 - reads as the SQL function it is
    """The member if it is a string."""

    type: TypeEngine[Any] = Text()
    inherit_cache = True
    sqlite = "CASE json_type({at}) WHEN 'text' THEN json_extract({at}) END"
    postgresql = "CASE jsonb_typeof({it}) WHEN 'string' THEN {it} #>> '{{}}' END"


class member_number(_Member):  # noqa: N801 - reads as the SQL function it is
    """The member if it is a number."""

    type: TypeEngine[Any] = Float()
    inherit_cache = True
    sqlite = "CASE WHEN json_type({at}) IN ('integer', 'real') THEN json_extract({at}) END"
    postgresql = (
        "CASE WHEN jsonb_typeof({it}) = 'number' AND length({it} #>> '{{}}') < %d "  # noqa: UP031 - braces
        "THEN CAST({it} #>> '{{}}' AS DOUBLE PRECISION) END" % _LONGEST_NUMBER
    )


class member_truth(_Member):  # noqa: N801 - reads as the SQL function it is
    """The member if it is true or false."""

    type: TypeEngine[Any] = Boolean()
    inherit_cache = True
    sqlite = "CASE json_type({at}) WHEN 'true' THEN 1 WHEN 'false' THEN 0 END"
    postgresql = "CASE jsonb_typeof({it}) WHEN 'boolean' THEN CAST({it} #>> '{{}}' AS BOOLEAN) END"


@compiles(member_type, "sqlite")
@compiles(member_text, "sqlite")
@compiles(member_number, "sqlite")
@compiles(member_truth, "sqlite")
def _for_sqlite(element: _Member, compiler: Any, **kw: Any) -> str:
    column, *path = (compiler.process(clause, **kw) for clause in element.clauses)
    steps = "".join(f" || '.\"' || {name} || '\"'" for name in path)
    return f"({element.sqlite.format(at=f'{column}, {chr(39)}${chr(39)}{steps}')})"


@compiles(member_type, "postgresql")
@compiles(member_text, "postgresql")
@compiles(member_number, "postgresql")
@compiles(member_truth, "postgresql")
def _for_postgresql(element: _Member, compiler: Any, **kw: Any) -> str:
    column, *path = (compiler.process(clause, **kw) for clause in element.clauses)
    it = f"jsonb_extract_path({', '.join((column, *path))})" if path else column
    return f"({element.postgresql.format(it=it)})"
