"""A runner with its folders and warm pools as a worker has them, and errands through their slots."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Self

from benchmarks.errand import Errand
from gridloom.settings import RunnerName, Settings
from gridloom.warmth import Isolation, Preload
from worker.collect import remove_tree
from worker.output import OutputCapture
from worker.pool.held import Held
from worker.pool.learning import Learned
from worker.pool.member import App, State
from worker.pool.metrics import Metrics
from worker.pool.warm_pool import WarmPool
from worker.runners.choose import choose_runner
from worker.runners.protocol import Execution, Grounds, ImageWanted, Runner, SlotKey

PLACES = 2
_OWNER = "bench"
_BUDGET_MIB = 4096.0
_LEARNING_RUNS = 3
_PATIENCE_S = 60.0


def chosen(name: RunnerName, folder: Path) -> Callable[[Grounds], Runner]:
    """Return what makes the runner as a worker with this scratch folder does."""
    settings = Settings(runner=name, scratch_dir=folder)
    return lambda grounds: choose_runner(settings, grounds, loopback=True)[0]


class Site:
    """A runner on folders of its own."""

    def __init__(self, folder: Path, make: Callable[[Grounds], Runner]) -> None:
        self.folder = folder
        self.grounds = Grounds(
            slots=folder / "runs",
            components=folder / "components",
            shared_cache=folder / "caches" / "shared",
            user_caches=folder / "caches" / "users",
        )
        for path in (self.grounds.slots, self.grounds.components, folder / "caches"):
            path.mkdir(parents=True)
        folder.chmod(0o755)
        self.runner = make(self.grounds)
        self._numbers = count()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.runner.sweep()
        self.runner.close()

    def digest(self, image: str) -> str:
        """Return the digest under which the runner knows an image that is here."""
        return self.runner.have_image(ImageWanted(reference=image, owner=_OWNER), lambda: True).digest

    def errand(self, code: str, name: str = "main.py") -> Errand:
        """Return an errand that is unpacked where components are."""
        return Errand.write(self.grounds.components / _OWNER / str(next(self._numbers)), code, name)

    @contextmanager
    def pool(self, places: int = PLACES) -> Iterator[WarmPool]:
        """Open a pool and close it and its slots at the end."""
        learned = Learned(self.folder / f"imports-{next(self._numbers)}.json")
        pool = WarmPool(
            self.runner, places=places, budget_mib=_BUDGET_MIB, learned=learned, metrics=Metrics()
        )
        pool.start()
        try:
            yield pool
        finally:
            pool.close()


class Warm:
    """One app's tasks through a pool."""

    def __init__(
        self,
        pool: WarmPool,
        errand: Errand,
        *,
        image: str = "",
        isolation: Isolation = Isolation.TASK,
        preload: Preload = "off",
    ) -> None:
        self.pool, self._errand = pool, errand
        self.key = SlotKey(owner=_OWNER, image=image, isolation=isolation)
        self.app = App(component=errand.folder.name, preload=preload)
        self._numbers = count()

    def run_s(self, waiting: int = 0) -> float:
        """Return the seconds from the claim of a slot until the result is read; giving back comes after."""
        began = time.perf_counter()
        held = self.pool.claim(self.key, self.app, waiting)
        try:
            folder = self.run_in(held)
            took_s = time.perf_counter() - began
            remove_tree(folder)
        finally:
            held.give_back()
        return took_s

    def run_in(self, held: Held) -> Path:
        """Run one task in a slot that is held; return the task's folder.

        Raises:
            RuntimeError: when the script failed.
        """
        folder = held.folder / f"task-{next(self._numbers)}"
        env = self._errand.begin(folder)
        capture = OutputCapture()
        execution = Execution(
            label=folder.name,
            component=self._errand.folder,
            script=self._errand.script,
            env=env,
            folders=(folder, folder / "results"),
        )
        ended = held.run(execution, capture)
        if not ended.succeeded:
            raise RuntimeError(f"{self._errand.script}: {ended.message}")
        self._errand.end(folder, b"".join(line.text.encode() for line in capture.drain()))
        return folder

    def learn(self) -> int:
        """Run until the app's imports are known and a slot has them; return their number."""
        for _ in range(_LEARNING_RUNS):
            self.run_s()
        deadline = time.monotonic() + _PATIENCE_S
        while time.monotonic() < deadline:
            if self.pool.counts().get(State.IDLE):
                held = self.pool.claim(self.key, self.app)
                preloaded = held.preloaded
                held.give_back()
                if preloaded:
                    return preloaded
            time.sleep(0.05)
        raise RuntimeError("nothing was learned of the script's imports")
