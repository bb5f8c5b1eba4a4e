"""LIKE that minds no case, the same in both databases (beyond ASCII as far as each knows letters)."""

import re
from typing import Any

from sqlalchemy import Boolean, Text, literal
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.expression import ColumnElement, FunctionElement

_ESCAPED = re.compile(r"\\.", re.DOTALL)
_BACKSLASH = re.compile(r"\\(.?)", re.DOTALL)


def pattern_of(text: str) -> str:
    r"""Return the pattern that a client means: text without `%` may stand anywhere, `\%`, `\_` and `\\` are literal."""
    strict = _BACKSLASH.sub(
        lambda found: found[0] if found[1] and found[1] in "%_\\" else rf"\\{found[1]}", text
    )
    return strict if "%" in _ESCAPED.sub("", strict) else f"%{strict}%"


class matches(FunctionElement[bool]):  # noqa: N801 - reads as the SQL operator it is
    """Whether a text column matches a pattern made by `pattern_of`."""

    type = Boolean()
    inherit_cache = True

    def __init__(self, column: ColumnElement[Any], pattern: str) -> None:
        super().__init__(column, literal(pattern, Text))


# SQLite's own LIKE minds no case; lower() on both sides, SQLAlchemy's way, costs twice the time.
@compiles(matches, "sqlite")
def _for_sqlite(element: matches, compiler: Any, **kw: Any) -> str:
    column, pattern = (compiler.process(clause, **kw) for clause in element.clauses)
    return f"({column} LIKE {pattern} ESCAPE '\\')"


@compiles(matches, "postgresql")
def _for_postgresql(element: matches, compiler: Any, **kw: Any) -> str:
    column, pattern = (compiler.process(clause, **kw) for clause in element.clauses)
    return f"({column} ILIKE {pattern} ESCAPE '\\')"
