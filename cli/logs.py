"""Prints what a job's tasks printed."""

from typing import TYPE_CHECKING

from gridloom.states import Stage

if TYPE_CHECKING:
    from gridloom.client import LogLine


def in_words(line: "LogLine") -> str:
    """Return a line as a person reads it."""
    source = f"task {line.task}" if line.stage is Stage.APP else line.stage.value
    text = "".join(char if char.isprintable() or char == "\t" else " " for char in line.log)
    return f"{line.timestamp[:23]}  {source}  {text}"
