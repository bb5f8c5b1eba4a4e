"""Uploaded files as sources."""

from pathlib import Path

import pytest

from gridloom.errors import AttemptFailed
from gridloom.sources import SourceSpec
from gridloom.states import EndReason
from storage.folder import FolderStore
from storage.sources import file
from storage.sources.context import SourceContext


def test_an_uploaded_file_keeps_its_base_name(tmp_path: Path) -> None:
    store, seen = FolderStore(tmp_path / "store"), list[int]()
    store.put_bytes("up/1", b"hello")
    context = SourceContext(store=store, limit_bytes=5, on_progress=seen.append)
    spec = SourceSpec(descriptor="file", blob_key="up/1", name="C:\\me\\book.txt")
    file.fetch(spec, tmp_path, context)
    assert (tmp_path / "book.txt").read_bytes() == b"hello"
    assert seen == [5]


@pytest.mark.parametrize(
    ("key", "problem"),
    [("up/1", "has 5 bytes; the limit is 4"), ("up/2", "is gone"), (None, "no file was uploaded")],
)
def test_a_file_that_cannot_be_had_ends_the_attempt(key: str | None, problem: str, tmp_path: Path) -> None:
    store = FolderStore(tmp_path / "store")
    store.put_bytes("up/1", b"hello")
    with pytest.raises(AttemptFailed, match=problem) as caught:
        file.fetch(
            SourceSpec(descriptor="file", blob_key=key), tmp_path, SourceContext(store=store, limit_bytes=4)
        )
    assert caught.value.reason is EndReason.DATA_SOURCE
