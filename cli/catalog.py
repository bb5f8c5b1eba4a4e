"""All commands by name: where each one is, and its sentence, so that --help tells of them without loading any."""

from collections.abc import Mapping
from dataclasses import dataclass

import typer


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A command, or a group of commands, and the attribute of the module that it is."""

    module: str
    attribute: str
    help: str


def _entry(module: str, attribute: str, sentence: str) -> Entry:
    return Entry(module=module, attribute=attribute, help=sentence)


COMMANDS: Mapping[str, Entry] = {
    "up": _entry("cli.fabric", "up", "Run the whole fabric in the foreground."),
    "demo": _entry("cli.demo", "demo", "Start a fabric, run a job on it, stop it all."),
    "auth": _entry("cli.auth", "auth", "Sign in to a fabric, and out of it."),
    "app": _entry("cli.components", "app", "Apps: the code that runs on every chunk."),
    "engine": _entry("cli.components", "engine", "Engines: partitioners and assemblers."),
    "template": _entry("cli.templates", "template", "Templates: an app with its engines and defaults."),
    "job": _entry("cli.jobs", "job", "Jobs: create, run and watch them, fetch what they deliver."),
    "logs": _entry("cli.logs", "logs", "Search, follow or save what a job printed."),
    "events": _entry("cli.events", "events", "Tell what happens to your jobs, as it happens."),
    "cache": _entry("cli.caches", "cache", "Files that tasks find in their cache folders."),
    "source": _entry("cli.looks", "source", "Data sources: look at one before a job uses it."),
    "destination": _entry("cli.looks", "destination", "Destinations: look at one before a job uses it."),
    "secret": _entry("cli.secrets", "secret", "Secrets that tasks may be given."),
    "key": _entry("cli.keys", "key", "API keys of your account."),
    "wallet": _entry("cli.wallet", "wallet", "ByteChips: balance, prices, what jobs cost."),
    "config": _entry("cli.config", "config", "Profiles: the fabrics that you use, by name."),
    "admin": _entry("cli.admin", "admin", "What operators do: accounts, ByteChips, keys, audit."),
    "api": _entry("cli.fabric", "api", "Run the control plane alone."),
    "scheduler": _entry("cli.fabric", "scheduler", "Run the scheduler alone."),
    "worker": _entry("cli.fabric", "worker", "Run a worker alone."),
    "version": _entry("cli.version", "version", "Print the version."),
}


def command_group(name: str) -> typer.Typer:
    """Return an empty group of commands that has its sentence from the catalog."""
    return typer.Typer(
        help=COMMANDS[name].help, no_args_is_help=True, add_completion=False, rich_markup_mode=None
    )
