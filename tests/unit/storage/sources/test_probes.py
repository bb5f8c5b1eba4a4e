"""Looks at sources without a network; tests/unit/api/routes/test_sources.py has those with a server."""

import pytest

from gridloom.errors import BadInput
from gridloom.net_guard import PrivateHosts
from storage.descriptors import S3_KINDS
from storage.sources.catalog import FETCHERS
from storage.sources.probes import PROBES, probe_source

NOBODY = PrivateHosts()


def test_every_source_that_is_in_no_bucket_can_be_looked_at() -> None:
    assert set(PROBES) == set(FETCHERS) - S3_KINDS


def test_a_private_url_is_refused_before_anything_is_asked() -> None:
    with pytest.raises(BadInput, match="private network"):
        probe_source("url", {"url": "http://10.0.0.1/x"}, NOBODY)
