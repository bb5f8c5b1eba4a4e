"""A slot in the hands of one bundle."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

from gridloom.errors import AttemptFailed, RunnerFailed
from gridloom.states import EndReason
from gridloom.warmth import Isolation, Tier
from worker.pool.member import App, Member, Reason
from worker.runners.protocol import Ended, Execution, OutputSink, SlotFacts


class Keeper(Protocol):
    """Who takes the slot back and learns from its runs."""

    def prepare(self, member: Member, app: App) -> None:
        """Let the slot import what has been learned."""

    def note(self, member: Member, app: App, ended: Ended) -> None:
        """Learn from a run."""

    def give_back(self, member: Member, app: App) -> None:
        """Take the slot back."""


class Held:
    """Runs an app's tasks until it is given back."""

    def __init__(self, keeper: Keeper, member: Member, app: App, tier: Tier) -> None:
        self._keeper, self._member, self._app = keeper, member, app
        self.tier = tier

    @property
    def folder(self) -> Path:
        """The slot's own folder."""
        return self._member.slot.folder

    @property
    def facts(self) -> SlotFacts:
        """What is known of the slot."""
        return self._member.slot.facts

    @property
    def used_up(self) -> bool:
        """Whether it can't take another task."""
        return self._member.key.isolation is Isolation.STRICT or self._member.spoiled is not None

    @property
    def preloaded(self) -> int:
        """Number of modules imported ahead."""
        return len(self._member.imported)

    def again(self) -> None:
        """Get ready for one more task, with what was learned meanwhile.

        Raises:
            RunnerFailed: when the slot broke.
        """
        self.tier = Tier.WARM
        with self._watched():
            self._keeper.prepare(self._member, self._app)

    def run(self, execution: Execution, sink: OutputSink) -> Ended:
        """Run a script.

        Raises:
            AttemptFailed: when the script can't be started.
            RunnerFailed: when the slot broke; it must then be given back.
        """
        with self._watched():
            ended = self._member.slot.run(execution, sink)
        self._keeper.note(self._member, self._app, ended)
        return ended

    def kill(self, reason: EndReason) -> None:
        """Kill the current run."""
        self._member.slot.kill(reason)

    def give_back(self) -> None:
        """End the holding."""
        self._keeper.give_back(self._member, self._app)

    @contextmanager
    def _watched(self) -> Iterator[None]:
        try:
            yield
        except Exception as error:
            # Only a script that could not be started leaves the slot as good as it was.
            if isinstance(error, RunnerFailed) or not isinstance(error, AttemptFailed):
                self._member.spoiled = Reason.BROKEN
            raise
