"""Which sources are taken, with which params, and what fetching them brings."""

from pathlib import Path

import pytest

from gridloom.errors import AttemptFailed, BadInput
from gridloom.net_guard import PrivateHosts
from gridloom.sources import SourceSpec
from gridloom.states import EndReason
from storage.descriptors import SOURCES
from storage.folder import FolderStore
from storage.sources.catalog import FETCHERS, check_source, check_source_kind, fetch_source
from storage.sources.context import SourceContext

NOBODY = PrivateHosts()


@pytest.fixture
def context(tmp_path: Path) -> SourceContext:
    return SourceContext(store=FolderStore(tmp_path / "store"), limit_bytes=100)


@pytest.mark.parametrize(
    ("descriptor", "params"),
    [
        ("bypass", {}),
        ("file", {"@type": "type.googleapis.com/bytenite.data_source.LocalFileDataSource"}),
        ("url", {"url": "https://example.org/a.txt", "name": "", "username": "", "password": ""}),
        ("url", {"url": ["https://example.org/a.txt", "https://example.com/a.txt"]}),
        ("aws", {"bucketName": "b", "name": "/f"}),
    ],
)
def test_well_formed_sources_are_taken(descriptor: str, params: dict[str, object]) -> None:
    check_source(descriptor, params, NOBODY)


@pytest.mark.parametrize(
    ("descriptor", "params", "field"),
    [
        ("bucket", {}, "dataSourceDescriptor"),
        ("ftp", {}, "dataSourceDescriptor"),
        ("url", {}, "params.url"),
        ("url", {"url": 7}, "params.url"),
        ("url", {"url": []}, "params.url"),
        ("url", {"url": ["https://example.org/", ""]}, "params.url"),
        ("url", {"url": ["https://example.org/", "http://10.0.0.1/"]}, "params.url"),
        ("url", {"url": ["https://example.org/"] * 10_001}, "params.url"),
        ("url", {"url": "file:///etc/passwd"}, "params.url"),
        ("url", {"url": "gopher://example.org/"}, "params.url"),
        ("url", {"url": "http://"}, "params.url"),
        ("url", {"url": "http://u:p@example.org/"}, "params.url"),
        ("url", {"url": "http://127.0.0.1/"}, "params.url"),
        ("url", {"url": "http://2130706433/"}, "params.url"),
        ("url", {"url": "http://[::ffff:127.0.0.1]/"}, "params.url"),
        ("url", {"url": "http://localhost:8080/"}, "params.url"),
        ("url", {"url": "https://example.org/", "username": 3}, "params.username"),
        ("storj", {"name": "f"}, "params.bucketName"),
    ],
)
def test_what_is_wrong_is_named(descriptor: str, params: dict[str, object], field: str) -> None:
    with pytest.raises(BadInput) as caught:
        check_source(descriptor, params, NOBODY)
    assert caught.value.field == f"dataSource.{field}"
    assert "dataSource" in caught.value.message


def test_the_operator_may_allow_a_private_url() -> None:
    check_source("url", {"url": "http://localhost:8080/"}, PrivateHosts.parse("localhost"))


def test_a_template_may_leave_params_open() -> None:
    check_source_kind("url")


def test_bypass_gives_one_dummy_file(tmp_path: Path, context: SourceContext) -> None:
    fetch_source(SourceSpec(descriptor="bypass"), tmp_path, context)
    assert [it.stat().st_size for it in tmp_path.iterdir() if it.is_file()] == [1]


def test_every_kind_of_source_is_fetched() -> None:
    assert set(FETCHERS) == SOURCES


def test_an_unknown_kind_ends_the_attempt(tmp_path: Path, context: SourceContext) -> None:
    with pytest.raises(AttemptFailed, match="is unknown") as caught:
        fetch_source(SourceSpec(descriptor="ftp"), tmp_path, context)
    assert caught.value.reason is EndReason.DATA_SOURCE
