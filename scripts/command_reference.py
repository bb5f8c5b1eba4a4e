"""Write docs/cli.md's list of commands from the commands themselves: `python scripts/command_reference.py [--check]`."""

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from typer.core import TyperGroup
from typer.main import get_command

from cli.catalog import COMMANDS
from cli.main import app

PAGE = Path(__file__).parents[1] / "docs/cli.md"
BLOCK = re.compile("(<!-- commands: .*? -->\n)(.*?)(<!-- /commands -->)", re.DOTALL)


def reference() -> str:
    """Return the list in Markdown: a table for each group, one for the commands that stand alone."""
    top: Any = get_command(app)
    alone, parts = [], []
    for name, entry in COMMANDS.items():
        command = top.get_command(None, name)
        rows = [_row(words, it) for words, it in _commands(command, name)]
        if isinstance(command, TyperGroup):
            parts.append(_table(f"### {name}\n\n{entry.help}", rows))
        else:
            alone += rows
    return "\n".join([*parts, _table("### Commands that stand alone", alone)])


def _commands(command: Any, words: str) -> Iterator[tuple[str, Any]]:
    if not isinstance(command, TyperGroup):
        yield words, command
        return
    for name in command.list_commands(None):
        yield from _commands(command.get_command(None, name), f"{words} {name}")


def _row(words: str, command: Any) -> str:
    text, _, example = command.help.partition("Example: ")
    sentence = " ".join(text.split("\n\n")[0].split())
    usage = [words, *(_metavar(it) for it in command.params if it.param_type_name == "argument")]
    return f"| `{' '.join(usage)}` | {sentence} | `{' '.join(example.split())}` |"


def _metavar(argument: Any) -> str:
    name = argument.metavar or argument.name.upper()
    return str(name if argument.required or name.startswith("[") else f"[{name}]")


def _table(title: str, rows: list[str]) -> str:
    return "\n".join([title, "", "| command | what it does | example |", "|---|---|---|", *rows, ""])


def main() -> None:
    """Rewrite the page, or with `--check` exit 1 when it is not up to date."""
    old = PAGE.read_text()
    new = BLOCK.sub(lambda block: block[1] + reference() + block[3], old)
    if "--check" in sys.argv[1:]:
        sys.exit("docs/cli.md: run scripts/command_reference.py" if new != old else 0)
    PAGE.write_text(new)


if __name__ == "__main__":
    main()
