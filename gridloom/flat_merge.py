"""Names of many tasks' result files in one folder: on a collision the chunk's number joins the name.

The first file of a name keeps it; later ones become `<stem>_<chunk><ext>`, then `<stem>_<chunk>_2<ext>` and so on.
Taken in chunk order the outcome depends on nothing but the names. A passthrough assembler whose parameters say
`{"by_chunk": true}` puts each task's files below a folder instead, called by the chunk's number.
"""

from collections.abc import Iterator, Mapping
from itertools import count
from pathlib import PurePosixPath

from gridloom.errors import BadInput


def is_by_chunk(params: Mapping[str, object]) -> bool:
    """Tell whether a passthrough assembler's parameters ask for a folder for each chunk."""
    return params.get("by_chunk") is True


def merge_candidates(name: str, chunk: int, *, by_chunk: bool = False) -> Iterator[str]:
    """Yield the names that a result file of a chunk may get, most wanted first; the first free one is to be taken.

    `name` is relative and may lie below folders. Those keep their names too, unless one is the name of a file.
    With a folder for each chunk the one name is free: it is as unique as `name` is within its task.

    Raises:
        BadInput: when the name leads out of its folder.
    """
    path = PurePosixPath(name)
    if "\0" in name or not path.parts or path.is_absolute() or ".." in path.parts or path.as_posix() != name:
        raise BadInput(f"{name[:200]!a} is not a plain relative file name")
    if by_chunk:
        yield f"{chunk}/{name}"
        return
    yield name
    for number in count(1):
        suffix = f"_{chunk}" if number == 1 else f"_{chunk}_{number}"
        yield path.with_name(f"{path.stem}{suffix}{path.suffix}").as_posix()
        if len(path.parts) > 1:
            yield PurePosixPath(f"{path.parts[0]}{suffix}", *path.parts[1:]).as_posix()
