"""Fixtures that only tests of several parts at once need."""

import pytest

pytest.register_assert_rewrite("tests.fixtures.attacked")

from tests.fixtures.attacked import containers, open_stage, sandboxes, stage, target  # noqa: E402 - after the above

__all__ = ["containers", "open_stage", "sandboxes", "stage", "target"]
