"""Adds up the numbers of JSON objects and writes them as a readable report and as JSON."""

import heapq
import json

from rows import reading, refuse_constant


def add(totals: dict, counts: dict, where: str = "") -> None:
    """Add every number of `counts`, inner objects included, to `totals` in place."""
    for key, value in counts.items():
        if isinstance(value, bool) or not isinstance(value, (int, float, dict)):
            raise ValueError(f"{where}{key} must be a number or an object, got {json.dumps(value)[:60]}")
        known = totals.setdefault(key, {} if isinstance(value, dict) else 0)
        if isinstance(known, dict) != isinstance(value, dict):
            raise ValueError(f"{where}{key} is an object in one result and a number in another")
        if isinstance(value, dict):
            add(known, value, f"{where}{key}.")
        else:
            totals[key] = known + value


def table_lines(title: str, table: dict, top: int):
    """Yield the lines of one table, most frequent first, equal counts by name; then those of inner tables."""
    numbers = {name: value for name, value in table.items() if not isinstance(value, dict)}
    if numbers:
        shown = heapq.nsmallest(top, numbers.items(), key=lambda entry: (-entry[1], entry[0]))
        which = f", the top {len(shown)}" if len(shown) < len(numbers) else ""
        width = max(len(f"{value:,}") for _, value in shown)
        yield ""
        yield f"{title}: {len(numbers):,} different, {sum(numbers.values()):,} in all{which}"
        yield from (f"  {value:>{width},}  {name}" for name, value in shown)
    for name, value in table.items():
        if isinstance(value, dict):
            yield from table_lines(f"{title}.{name}", value, top)


def report_lines(totals: dict, top: int):
    """Yield the report: the plain numbers, then each table."""
    numbers = {name: f"{value:,}" for name, value in totals.items() if not isinstance(value, dict)}
    names = max(map(len, numbers), default=0)
    width = max(map(len, numbers.values()), default=0)
    yield from (f"{name:<{names}}  {value:>{width}}" for name, value in numbers.items())
    for name, value in totals.items():
        if isinstance(value, dict):
            yield from table_lines(name, value, top)


def merge_counts(results: list, target, top: int) -> None:
    """Write the report to `target` and all sums beside it as JSON; raise ValueError naming a result that is no count."""
    if target.suffix == ".json":
        raise ValueError(f"parameter output must not end in .json in mode counts, got {target.name}")
    totals: dict = {}
    for path in results:
        with reading(path) as stream:
            counts = json.load(stream, parse_constant=refuse_constant)
            if not isinstance(counts, dict):
                raise ValueError("must hold one JSON object")
            add(totals, counts)
    target.write_text("\n".join(report_lines(totals, top)) + "\n", encoding="utf-8")
    target.with_suffix(".json").write_text(
        json.dumps(totals, ensure_ascii=False, sort_keys=True), encoding="utf-8"
    )
