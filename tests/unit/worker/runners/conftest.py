"""Slots of the runner without isolation."""

import pytest

from tests.fixtures.slots import KEY, Stage
from worker.runners.process import ProcessRunner


@pytest.fixture
def runner():
    it = ProcessRunner()
    yield it
    it.close()


@pytest.fixture
def stage(runner, tmp_path):
    slot = runner.open_slot(KEY)
    yield Stage(slot, tmp_path)
    slot.close()
