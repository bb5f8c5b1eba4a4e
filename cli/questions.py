"""Asks the person at the terminal; where there is none, tells which option answers instead."""

import sys
from getpass import getpass
from pathlib import Path
from typing import Annotated

import typer

from gridloom.errors import BadInput

Yes = Annotated[bool, typer.Option("--yes", "-y", help="Don't ask.")]


class NobodyToAsk(typer.TyperException):
    """Raised when a question comes up and standard input is no terminal."""

    exit_code = 2


def confirm(question: str, *, yes: bool) -> None:
    """Go on when the user agrees, or did so beforehand by `yes`.

    Raises:
        NobodyToAsk: when there is no terminal.
        BadInput: when the answer is no.
    """
    if yes:
        return
    if not sys.stdin.isatty():
        raise NobodyToAsk(f"{question} Nobody is there to answer; say --yes")
    if _answer(f"{question} [y/N]").lower() not in ("y", "yes"):
        raise BadInput("nothing was done")


def ask(question: str, *, otherwise: str) -> str:
    """Return what the user types.

    Raises:
        NobodyToAsk: when there is no terminal; `otherwise` tells what to do instead.
    """
    if not sys.stdin.isatty():
        raise NobodyToAsk(otherwise)
    return _answer(f"{question}:")


def read_hidden(question: str, file: Path | None = None) -> str:
    """Return a secret from a file, from a hidden prompt, or from standard input where that is no terminal.

    An end of line at its end is not part of it.

    Raises:
        BadInput: when it can't be read or is empty.
    """
    try:
        if file is not None:
            text = file.read_text()
        elif sys.stdin.isatty():
            text = getpass(f"{question}: ")
        else:
            text = sys.stdin.read()
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(f"can't read {file or 'standard input'}: {error}") from error
    text = text.rstrip("\r\n")
    if not text:
        raise BadInput(f"{question}: there is none in {file or 'standard input'}")
    return text


def _answer(question: str) -> str:
    # What input() and the library ask lands partly in the result, on standard output.
    sys.stderr.write(f"{question} ")
    sys.stderr.flush()
    line = sys.stdin.readline()
    if not line:
        raise typer.Abort
    return line.strip()
