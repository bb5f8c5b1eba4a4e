"""`gridloom admin rotate-key`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.master_key import FILE, add_master_key
from cli.output import AsJson, complain, show, table
from cli.progress import waiting
from cli.questions import Yes, confirm

if TYPE_CHECKING:
    from gridloom.client import Client


def rotate_key(
    context: typer.Context,
    *,
    key_file: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="The fabric's file of master keys, as GRIDLOOM_MASTER_KEY_FILE names it; found where it is gridloom "
            "up's.",
        ),
    ] = None,
    new_key: Annotated[
        bool, typer.Option("--new-key/--no-new-key", help="Put a new key into that file first.")
    ] = True,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Seal every secret anew under a new master key, while everything goes on; may be repeated.

    Where the file of keys is on another machine, a new key has to be put first into it there; then this seals under
    that one. Older keys are needed until nothing is sealed under them any more.

    Example: gridloom admin rotate-key --yes
    """
    confirm("Seal all secrets of the fabric anew?", yes=yes)
    with context.obj.client() as client:
        file = (key_file or _file_of(client)) if new_key else None
        added = _added(client, file) if file else ""
        with waiting("Sealing secrets anew", quiet=as_json):
            done = client.rotate_key()
    rows = [(name, it.rewrapped, it.unreadable) for name, it in done.kinds.items()]
    text = f"sealed under {done.master_id}{f', which is new in {file}' if added else ''}\n"
    document = done.raw | {"keyFile": str(file) if added else None}
    show(document, text + table(("what", "sealed anew", "unreadable"), rows), as_json=as_json)
    if any(it.unreadable for it in done.kinds.values()):
        complain("some values can't be opened: a master key that they need is missing")
        raise typer.Exit(1)


def _added(client: "Client", file: Path) -> str:
    # Who may not rotate must not leave a key behind: the call that needs the role comes first.
    client.users(limit=1)
    return add_master_key(file)


def _file_of(client: "Client") -> Path | None:
    """Return the keys of the fabric that runs on this machine, when it is the one that is spoken to."""
    from gridloom import local_fabric

    folder = local_fabric.current_dir()
    known = local_fabric.read_credentials(folder)
    file = folder / FILE
    return file if known and known["url"] == client.url and file.is_file() else None
