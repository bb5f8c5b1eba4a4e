"""The top of the command line, which loads a command only when it is called."""

from importlib import import_module
from typing import Any

import typer
from typer.core import TyperGroup
from typer.main import get_command

from cli.catalog import COMMANDS, Entry


class LazyGroup(TyperGroup):
    """Offers the commands of the catalog."""

    def __init__(self, **attributes: Any) -> None:
        # Only their names matter: they are proposed to who mistypes one.
        super().__init__(**attributes | {"commands": dict.fromkeys(COMMANDS)})

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ARG002 (the library asks so)
        """Return the names of all commands in the order of the catalog."""
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:  # noqa: ARG002
        """Load a command; None when there is none of that name."""
        entry = COMMANDS.get(cmd_name)
        return _load(cmd_name, entry) if entry else None

    def format_commands(self, ctx: Any, formatter: Any) -> None:  # noqa: ARG002
        """Write the list of commands as the catalog has it."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, entry.help) for name, entry in COMMANDS.items()])


def _load(name: str, entry: Entry) -> Any:
    found = getattr(import_module(entry.module), entry.attribute)
    if not isinstance(found, typer.Typer):
        alone = typer.Typer(add_completion=False, rich_markup_mode=None)
        alone.command(name)(found)
        found = alone
    return get_command(found)
