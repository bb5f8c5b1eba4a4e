"""What processes take: memory now and at its peak, and processor time."""

import threading
from collections.abc import Mapping
from types import TracebackType
from typing import Self

import psutil

MB = 1e6


def rss_mb(process: psutil.Process) -> float:
    """Return resident memory in MB, shared pages counted in full; 0 when the process is gone."""
    try:
        return process.memory_info().rss / MB
    except psutil.NoSuchProcess:
        return 0.0


def pss_mb(process: psutil.Process) -> float:
    """Return resident memory in MB, shared pages split among those who share them."""
    return process.memory_full_info().pss / MB


def cpu_s(processes: Mapping[str, psutil.Process]) -> float:
    """Return the processor seconds that processes and their ended children have used in all.

    One that is gone counts with whoever waited for it.
    """
    return sum(map(_cpu_s, processes.values()))


def _cpu_s(process: psutil.Process) -> float:
    try:
        it = process.cpu_times()
    except psutil.NoSuchProcess:
        return 0.0
    return float(it.user + it.system + it.children_user + it.children_system)


class Peaks:
    """Watches processes' resident memory four times a second while its block runs."""

    def __init__(self, processes: Mapping[str, psutil.Process]) -> None:
        self._processes = processes
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self.mb = dict.fromkeys(processes, 0.0)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._stop.wait(0.25):
            for name, process in self._processes.items():
                self.mb[name] = max(self.mb[name], rss_mb(process))
