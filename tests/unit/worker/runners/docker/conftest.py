"""A runner on the real daemon with folders of the test's own, and what it may not leave behind."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import docker
import pytest
from prometheus_client import CollectorRegistry

from tests.fixtures.slots import make_grounds
from worker.runners.docker.daemon import open_client
from worker.runners.docker.images import Images
from worker.runners.docker.runner import DockerRunner
from worker.runners.docker.sweep import WORKER
from worker.runners.protocol import ImageWanted, Slot, SlotKey


class NoEgress:
    def network(self) -> str:
        raise AssertionError("nobody asked for a network")


def make_runner(url: str, root: Path, **parts: Any) -> DockerRunner:
    def opener() -> docker.APIClient:
        return open_client(url)

    images = Images(opener, budget_mib=1e6, book=root / "book.json", metrics=CollectorRegistry())
    return DockerRunner(
        opener, make_grounds(root), images, assets=root / "assets", **{"egress": NoEgress(), **parts}
    )


def left_of(client: docker.DockerClient, runner: DockerRunner) -> list[str]:
    """Name the containers that a runner has."""
    found = client.containers.list(all=True, filters={"label": f"{WORKER}={runner.identity}"})
    return [it.name for it in found]


@pytest.fixture
def runner(docker_url, docker_client, tmp_path) -> Iterator[DockerRunner]:
    it = make_runner(docker_url, tmp_path)
    yield it
    try:
        assert left_of(docker_client, it) == []
        assert [*(tmp_path / "runs").iterdir()] == []
    finally:
        it._known.clear()
        it.sweep()
        it.close()


@pytest.fixture
def open_slot(runner) -> Iterator[Callable[..., Slot]]:
    """Open slots in images by name; all are closed at the end."""
    with ExitStack() as opened:

        def open_(image: str, **wishes) -> Slot:
            had = runner.have_image(ImageWanted(reference=image, owner="owner"), lambda: True)
            key = SlotKey(**{"owner": "owner", "image": had.digest, "memory_mib": 128, **wishes})
            slot = runner.open_slot(key)
            opened.callback(slot.close)
            return slot

        yield open_
