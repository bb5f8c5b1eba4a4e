"""Fixtures of every test; they live by theme in `tests/fixtures`."""

pytest_plugins = ["tests.fixtures.control_plane", "tests.fixtures.postgres", "tests.fixtures.valkey"]
