"""Slots of the runner without isolation."""

import pytest

from tests.fixtures.slots import KEY, Stage, make_grounds
from worker.runners.process import ProcessRunner


@pytest.fixture
def grounds(tmp_path):
    return make_grounds(tmp_path / "worker")


@pytest.fixture
def runner(grounds):
    it = ProcessRunner(grounds)
    yield it
    it.close()


@pytest.fixture
def stage(runner):
    slot = runner.open_slot(KEY)
    yield Stage(slot)
    slot.close()
