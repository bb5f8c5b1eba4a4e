"""Putting the docker runner together."""

from contextlib import closing
from functools import partial

from gridloom.errors import RunnerFailed
from gridloom.settings import Settings
from worker.runners.docker.daemon import open_client
from worker.runners.docker.egress import Egress
from worker.runners.docker.images import Images
from worker.runners.docker.own_image import own_image
from worker.runners.docker.runner import DockerRunner
from worker.runners.interpreters import base_python
from worker.runners.protocol import Grounds


def start(settings: Settings, grounds: Grounds, url: str) -> DockerRunner:
    """Return a runner on the daemon at that URL, swept of what an earlier life of this worker has left.

    Raises:
        RunnerFailed: when no container can be run there.
    """
    root = settings.scratch_dir.absolute()
    opener = partial(open_client, url)

    def default_image() -> str:
        if settings.default_image:
            return settings.default_image
        with closing(opener()) as client:
            return own_image(client, settings.python or base_python())

    runner = DockerRunner(
        opener,
        grounds,
        Images(opener, budget_mib=settings.image_budget_mib, book=root / "images.json"),
        Egress(opener, own=settings.egress_network),
        root / "shown",
        default_image=default_image,
    )
    if reason := runner.probe():
        raise RunnerFailed(reason)
    runner.sweep()
    return runner
