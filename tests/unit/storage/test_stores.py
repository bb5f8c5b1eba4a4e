"""Opening a store by URL."""

from pathlib import Path

import pytest

from gridloom.errors import SetupFailed
from storage.folder import FolderStore
from storage.stores import open_store


@pytest.mark.parametrize("form", ["{}", "file://{}", "file:{}", "file://localhost{}"])
def test_a_path_or_file_url_opens_a_folder(form: str, tmp_path: Path) -> None:
    store = open_store(form.format(tmp_path / "s"))
    assert isinstance(store, FolderStore)
    store.put_bytes("a", b"1")
    assert (tmp_path / "s").is_dir()


def test_a_path_may_be_relative(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    open_store("file:objects").put_bytes("a", b"1")
    assert open_store("objects").get_bytes("a") == b"1"


def test_escaped_characters_of_a_file_url_are_decoded(tmp_path: Path) -> None:
    open_store(f"file://{tmp_path}/my%20store")
    assert (tmp_path / "my store").is_dir()


@pytest.mark.parametrize(
    "url", ["", "s3://bucket/prefix", "file://relative/path", "http://x/y", "file:", "s3:x"]
)
def test_another_url_tells_what_to_write(url: str) -> None:
    with pytest.raises(SetupFailed, match="use file:PATH"):
        open_store(url)


def test_a_folder_that_cannot_be_made_is_a_setup_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(SetupFailed, match="can't be used"):
        open_store(str(tmp_path / "file" / "store"))
