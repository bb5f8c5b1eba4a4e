"""Warm slots: kept open by key after use, the one idle longest closed first."""

from collections import OrderedDict
from itertools import count
from threading import Lock

from gridloom.errors import AttemptFailed, RunnerFailed
from worker.leases import Lease
from worker.runners.protocol import Ended, Execution, OutputSink, Runner, Slot, SlotKey


class WarmSlots:
    """The idle slots of a process."""

    def __init__(self, runner: Runner, max_idle: int) -> None:
        self._runner = runner
        self._max_idle = max_idle
        self._idle: OrderedDict[int, tuple[SlotKey, Slot]] = OrderedDict()
        self._numbers = count()
        self._lock = Lock()

    def take(self, key: SlotKey) -> Slot:
        """Return a slot of the key, warm when there is one.

        Raises:
            RunnerFailed: when none can be opened.
        """
        with self._lock:
            # The one used last is the warmest.
            number = next((it for it in reversed(self._idle) if self._idle[it][0] == key), None)
            if number is not None:
                return self._idle.pop(number)[1]
        return self._runner.open_slot(key)

    def give_back(self, key: SlotKey, slot: Slot) -> None:
        """Keep a slot for later."""
        with self._lock:
            self._idle[next(self._numbers)] = (key, slot)
            surplus = [self._idle.popitem(last=False)[1][1] for _ in range(len(self._idle) - self._max_idle)]
        for old in surplus:
            old.close()

    def close(self) -> None:
        """Close every idle slot."""
        with self._lock:
            slots = [slot for _, slot in self._idle.values()]
            self._idle.clear()
        for slot in slots:
            slot.close()


class HeldSlot:
    """The slot of one bundle, opened when its first script runs."""

    def __init__(self, warm: WarmSlots, key: SlotKey) -> None:
        self._warm = warm
        self._key = key
        self._slot: Slot | None = None

    def run(self, execution: Execution, sink: OutputSink, lease: Lease) -> Ended:
        """Run a script under a lease, whose loss kills it.

        Raises:
            RunnerFailed: when the slot broke; the next run gets another.
            AttemptFailed: when the script can't be started.
            LeaseLost: when the lease ended before.
        """
        if self._slot is None:
            self._slot = self._warm.take(self._key)
        slot = self._slot
        lease.start(slot.kill)
        try:
            return slot.run(execution, sink)
        except Exception as error:
            # Only a script that could not be started leaves the slot as good as it was.
            if isinstance(error, RunnerFailed) or not isinstance(error, AttemptFailed):
                self._slot = None
                slot.close()
            raise
        finally:
            lease.stop()

    def give_back(self) -> None:
        """End the holding; the slot stays warm."""
        if self._slot is not None:
            self._warm.give_back(self._key, self._slot)
            self._slot = None
