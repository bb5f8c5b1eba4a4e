"""Opening the store that the settings name."""

import subprocess
import sys
from pathlib import Path

import pytest

from gridloom.errors import SetupFailed
from gridloom.settings import Settings
from storage.blobs import BlobStore
from storage.bucket_store import BucketStore
from storage.folder import FolderStore
from storage.stores import open_store
from tests.fixtures.seaweed import BucketServer


def opened(url: str, access_key: str = "", secret_key: str = "") -> BlobStore:
    keys = {"store_access_key": access_key, "store_secret_key": secret_key}
    return open_store(Settings.model_validate({"store_url": url, **keys}))


@pytest.mark.parametrize("form", ["{}", "file://{}", "file:{}", "file://localhost{}"])
def test_a_path_or_file_url_opens_a_folder(form: str, tmp_path: Path) -> None:
    store = opened(form.format(tmp_path / "s"))
    assert isinstance(store, FolderStore)
    store.put_bytes("a", b"1")
    assert (tmp_path / "s").is_dir()


def test_a_path_may_be_relative(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    opened("file:objects").put_bytes("a", b"1")
    assert opened("objects").get_bytes("a") == b"1"


def test_escaped_characters_of_a_file_url_are_decoded(tmp_path: Path) -> None:
    opened(f"file://{tmp_path}/my%20store")
    assert (tmp_path / "my store").is_dir()


@pytest.mark.parametrize("url", ["", "file://relative/path", "http://x/y", "file:", "s4:x"])
def test_another_url_tells_what_to_write(url: str) -> None:
    with pytest.raises(SetupFailed, match="use file:PATH"):
        opened(url)


def test_a_folder_that_cannot_be_made_is_a_setup_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(SetupFailed, match="can't be used"):
        opened(str(tmp_path / "file" / "store"))


def test_a_folder_does_not_load_the_clients_of_buckets(tmp_path: Path) -> None:
    code = (
        "import sys; from gridloom.settings import Settings; from storage.stores import open_store;"
        f"open_store(Settings(store_url={str(tmp_path)!r}));"
        "print({'boto3', 'botocore', 'obstore'} & sys.modules.keys())"
    )
    assert subprocess.check_output([sys.executable, "-c", code], text=True) == "set()\n"


def test_a_bucket_opens(bucket_server: BucketServer) -> None:
    name, keys = bucket_server.make_bucket(), (bucket_server.access_key, bucket_server.secret_key)
    store = opened(f"s3://{name}/my/fabric?endpoint={bucket_server.endpoint}", *keys)
    assert isinstance(store, BucketStore)
    store.put_bytes("a/b", b"1")
    assert bucket_server.keys(name) == ["my/fabric/a/b", "my/fabric/ready"]
    assert store.link("a/b", 60, "b.txt") is None


def test_a_bucket_that_will_not_do_names_the_setting(bucket_server: BucketServer) -> None:
    key, secret = bucket_server.access_key, bucket_server.secret_key
    there = f"?endpoint={bucket_server.endpoint}"
    name = bucket_server.make_bucket()
    wrong = [
        (f"s3://{name}{there}", key, "wrong", "GRIDLOOM_STORE_SECRET_KEY"),
        (f"s3://{name}{there}", "wrong", secret, "GRIDLOOM_STORE_ACCESS_KEY"),
        (f"s3://{name}-not{there}", key, secret, f"{name}-not.* GRIDLOOM_STORE_URL"),
        (f"s3://{name}?endpoint=http://127.0.0.1:9", key, secret, "endpoint in GRIDLOOM_STORE_URL"),
    ]
    for url, access_key, secret_key, problem in wrong:
        with pytest.raises(SetupFailed, match=problem) as caught:
            opened(url, access_key, secret_key)
        assert secret not in caught.value.message
