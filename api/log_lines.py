"""Log lines as clients get them.

A page has thousands of them: they are made of plain dicts, and the shapes say what is in these.
"""

import json
from collections.abc import Iterable
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from api.log_reader import StoredLine
from gridloom.ids import task_id
from gridloom.states import Stage

Members = dict[str, Any]

_SECOND = 1_000_000
#: What a terminal obeys: all control characters but the tab, and what turns the direction of writing round.
_CONTROLS = {
    code: f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"
    for code in (
        *range(0x20),
        *range(0x7F, 0xA0),
        0x2028,
        0x2029,
        *range(0x202A, 0x202F),
        *range(0x2066, 0x206A),
    )
    if code != ord("\t")
}


def entry(line: StoredLine) -> Members:
    """Return the members of a `LogEntry`."""
    it = line.entry
    return {
        "log": it.text,
        "timestamp": timestamp(it.t),
        "level": it.level,
        "container": "main" if it.stream == "fabric" else "",
        "stream": it.stream,
    }


def event(job_id: str, line: StoredLine) -> Members:
    """Return the members of an event `log`: an entry, and whose it is."""
    it = line.entry
    whose = {
        "stage": line.stage,
        "taskId": task_id(job_id, line.stage, it.chunk),
        "chunk": it.chunk,
        "attempt": it.attempt,
    }
    return entry(line) | whose


def by_stage(job_id: str, lines: Iterable[StoredLine]) -> Members:
    """Return the members of a `LogsResponse` that hold lines."""
    # The published answer has no place of its own for the delivery, which goes on where the assembler ended.
    end: list[Members] = []
    stages: dict[Stage, list[Members]] = {Stage.PARTITION: [], Stage.ASSEMBLE: end, Stage.DELIVER: end}
    tasks: dict[int, list[Members]] = {}
    for line in lines:
        if line.stage is Stage.APP:
            tasks.setdefault(line.entry.chunk, []).append(entry(line))
        else:
            stages[line.stage].append(entry(line))
    return {
        "partitioner": stages[Stage.PARTITION],
        "assembler": stages[Stage.ASSEMBLE],
        "taskrunner": {task_id(job_id, Stage.APP, chunk): {"logs": found} for chunk, found in tasks.items()},
    }


def as_json(members: Members) -> str:
    """Return members as JSON on one line."""
    return json.dumps(members, ensure_ascii=False, separators=(",", ":"))


def as_text(line: StoredLine) -> str:
    """Return a line for people: time, origin, level, stream and text, in which no character can move the cursor."""
    it = line.entry
    source = f"{line.stage}/{it.chunk}" if line.stage is Stage.APP else line.stage.value
    return f"{timestamp(it.t)} {source} {it.level} {it.stream} {it.text.translate(_CONTROLS)}"


def timestamp(t: int) -> str:
    """Return microseconds since 1970 as RFC 3339."""
    return f"{_second(t // _SECOND)}.{t % _SECOND:06d}Z"


@lru_cache(maxsize=1024)
def _second(seconds: int) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}"
