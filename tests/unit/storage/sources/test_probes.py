"""Looks at sources without a network; tests/unit/api/routes/test_sources.py has those with a server."""

import pytest

from gridloom.errors import BadInput
from gridloom.net_guard import PrivateHosts
from storage.descriptors import SOURCES
from storage.sources.catalog import FETCHERS
from storage.sources.probes import PROBES, probe_source

NOBODY = PrivateHosts()


def test_every_source_that_can_be_fetched_can_be_looked_at() -> None:
    assert set(PROBES) == set(FETCHERS)


@pytest.mark.parametrize("descriptor", sorted(SOURCES - set(FETCHERS)))
def test_sources_of_later_versions_are_refused_as_at_run(descriptor: str) -> None:
    with pytest.raises(BadInput, match="not built into this version") as refused:
        probe_source(descriptor, {"bucketName": "b", "name": "f"}, NOBODY)
    assert refused.value.field == "dataSource.dataSourceDescriptor"


def test_a_private_url_is_refused_before_anything_is_asked() -> None:
    with pytest.raises(BadInput, match="private network"):
        probe_source("url", {"url": "http://10.0.0.1/x"}, NOBODY)
