"""Fabrics in real processes."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from tests.fixtures.live_fabric import LiveFabric, running_fabric

StartFabric = Callable[..., LiveFabric]


@pytest.fixture
def start_fabric(tmp_path) -> Iterator[StartFabric]:
    """Return what starts a fabric of the test's own, given runner, slots and env."""
    with ExitStack() as running:

        def start(**options: Any) -> LiveFabric:
            return running.enter_context(running_fabric(tmp_path, **options))

        yield start


@pytest.fixture(scope="module")
def fabric(tmp_path_factory, request) -> Iterator[LiveFabric]:
    """Return one fabric for all tests of a module, which may set its variables as `FABRIC_ENV`."""
    env = getattr(request.module, "FABRIC_ENV", {})
    with running_fabric(tmp_path_factory.mktemp("fabric"), env=env) as running:
        yield running
