"""The `gridloom` command."""

import os
import sys
from collections.abc import Sequence
from typing import Annotated

import typer

from cli.access import Access
from cli.lazy_group import LazyGroup
from cli.output import complain
from gridloom.errors import GridloomError, Unreachable

_HELP = """Run fan-out/fan-in jobs on your own machines.

Commands find the fabric by --url and --api-key, or by --profile; then by GRIDLOOM_URL and GRIDLOOM_API_KEY, then by
GRIDLOOM_PROFILE, then by the current profile (gridloom auth, gridloom config), then by the credentials that gridloom
up wrote.

\b
Exit codes:
  0    done
  1    failed: an error, or the job failed
  2    wrong usage, or a question that nobody is there to answer
  3    the fabric can't be reached
  130  interrupted
"""

app = typer.Typer(
    cls=LazyGroup,
    help=_HELP,
    no_args_is_help=True,
    context_settings={"max_content_width": 120},
    rich_markup_mode=None,  # loading rich would double the time of --help
    pretty_exceptions_enable=False,
)


def _print_version(wanted: bool) -> None:
    if wanted:
        from gridloom.version import VERSION

        typer.echo(VERSION)
        raise typer.Exit


@app.callback()
def configure(
    context: typer.Context,
    *,
    url: Annotated[str, typer.Option(help="Where the fabric is.")] = "",
    api_key: Annotated[
        str, typer.Option(help="Key of the account to use; others on this machine can see it.")
    ] = "",
    profile: Annotated[str, typer.Option(help="Profile to use instead of the current one.")] = "",
    _version: Annotated[
        bool,
        typer.Option(
            "--version",
            help="Print the version.",
            is_eager=True,
            callback=_print_version,
        ),
    ] = False,
) -> None:
    """Note how to reach the fabric."""
    context.obj = Access(url=url, api_key=api_key, profile=profile)


def run(arguments: Sequence[str]) -> int:
    """Run one command and return its exit code; errors are printed in one line."""
    try:
        code = app(args=list(arguments), prog_name="gridloom", standalone_mode=False)
    except typer.Exit as ending:
        return ending.exit_code
    except (typer.Abort, KeyboardInterrupt):
        complain("interrupted")
        return 130
    except BrokenPipeError:
        # Whoever read the output has seen enough; nothing more may be written when Python ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except typer.TyperException as error:
        return _refuse(error)
    except GridloomError as error:
        complain(_message(error))
        return 3 if isinstance(error, Unreachable) else 1
    return code if isinstance(code, int) else 0


def main() -> None:
    """Run the command line."""
    sys.exit(run(sys.argv[1:]))


def _refuse(error: typer.TyperException) -> int:
    message = error.format_message()
    if "\n" in message:  # a group without a command: its help
        sys.stderr.write(f"{message}\n")
    else:
        complain(message)
    return error.exit_code


def _message(error: GridloomError) -> str:
    field = getattr(error, "field", "")
    return f"{field}: {error.message}" if field and field not in error.message else error.message


if __name__ == "__main__":
    main()
