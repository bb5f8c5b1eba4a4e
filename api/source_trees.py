"""The tree of a page of files, as a look at a data source or destination answers it."""

from collections.abc import Iterable

from api.shapes.sources import DataSourceDirectory, DataSourceFile
from storage.buckets.bucket import ObjectInfo
from storage.probing import Files

_MOST_LEVELS = (
    48  # many readers of nested messages give up at a hundred; what lies deeper keeps the rest as its name
)


class _Folder:
    def __init__(self) -> None:
        self.folders: dict[str, _Folder] = {}
        self.files: list[tuple[str, ObjectInfo]] = []

    def at(self, names: Iterable[str]) -> "_Folder":
        found = self
        for name in names:
            found = found.folders.setdefault(name, _Folder())
        return found


def tree_of(page: Files) -> DataSourceDirectory:
    """Return the tree of a page of files and folders."""
    root = _Folder()
    for key in page.folders:
        root.at(_parts(page.base, key)[:-1])
    for file in page.files:
        *names, name = _parts(page.base, file.key)
        root.at(names).files.append((name, file))
    return _shown(root, "", page.base)


def _parts(base: str, key: str) -> list[str]:
    return key[len(base) :].split("/", _MOST_LEVELS)


def _shown(folder: _Folder, name: str, path: str) -> DataSourceDirectory:
    return DataSourceDirectory(
        name=name,
        path=path,
        directories=[_shown(it, inner, f"{path}{inner}/") for inner, it in folder.folders.items()],
        files=[
            DataSourceFile(id=file.key, name=inner, path=file.key, size=file.size)
            for inner, file in folder.files
        ],
    )
