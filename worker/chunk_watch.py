"""Finds out which chunk files a running partitioner has finished.

A chunk is finished when its file was closed after writing and the next index exists, or when the partitioner ended.
That may be wrong, since a file can be opened again: so every chunk's fingerprint is kept and compared at the end.
Memory is nine bytes a chunk, whatever their number.
"""

import os
import re
import select
import stat
import time
from array import array
from collections.abc import Iterator
from pathlib import Path

import structlog

from gridloom.errors import AttemptFailed
from gridloom.states import EndReason
from worker.inotify import CLOSE_WRITE, MOVED_TO, OVERFLOW, Inotify

log = structlog.get_logger()

_NAME = re.compile(r"data_(0|[1-9]\d{0,17})\.bin", re.ASCII)
_EXISTS, _CLOSED, _TOLD = 1, 2, 4
_POLL_S = 0.2
_QUIET_S = 0.5  # without news from the kernel: so long unchanged counts as closed
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC


def chunk_name(index: int) -> str:
    """Return the name of a chunk's file."""
    return f"data_{index}.bin"


class ChunkWatch:
    """Watches CHUNKS_DIR. One thread uses it, save for `wake`, which any may call."""

    def __init__(self, folder: Path, max_chunks: int) -> None:
        self._max = max_chunks
        self._folder = os.open(folder, _FOLDER)
        self._seen = bytearray()
        self._sent = array("q")
        self._cursor = 0  # polling has looked at all below
        self.count = 0  #: of chunks, once `remaining` has begun
        self._wake_out, self._wake_in = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        self._news = self._watch(folder)
        self._poll = select.poll()
        self._poll.register(self._wake_out, select.POLLIN)
        if self._news is not None:
            self._poll.register(self._news.fd, select.POLLIN)

    def finished(self, timeout_s: float) -> list[int]:
        """Wait for news and return the chunks that seem finished now, each once.

        Raises:
            AttemptFailed: when there are more chunks than the job may have.
        """
        if self._news is None:
            self._poll.poll(min(timeout_s, _POLL_S) * 1000)
            return self._look()
        self._poll.poll(timeout_s * 1000)
        ready: list[int] = []
        for mask, name in self._news.read():
            if mask & OVERFLOW:
                log.info("chunk_news_lost")
                self._cursor = 0
                ready += self._look()
            else:
                ready += self._note(mask, name)
        return ready

    def wake(self) -> None:
        """Make a waiting `finished` return."""
        os.write(self._wake_in, b"\0")

    def remaining(self) -> Iterator[int]:
        """Check the whole folder, the partitioner having ended; then yield what is unsent or changed since.

        Raises:
            AttemptFailed: when there is no chunk, a gap, another file, or more chunks than the job may have.
        """
        self.count = self._check_all()
        for index in range(self.count):
            facts = os.stat(chunk_name(index), dir_fd=self._folder, follow_symlinks=False)
            if self._fingerprint(facts) != self._sent[index]:
                yield index

    def open(self, index: int) -> tuple[int, os.stat_result]:
        """Open a chunk's file and remember it as sent.

        Raises:
            AttemptFailed: when it is no plain file.
        """
        name = chunk_name(index)
        try:
            fd = os.open(name, _FILE, dir_fd=self._folder)
        except OSError as error:
            raise AttemptFailed(EndReason.BAD_OUTPUT, f"{name} can't be read: {error.strerror}") from error
        facts = os.fstat(fd)
        if not stat.S_ISREG(facts.st_mode) or facts.st_nlink > 1:
            os.close(fd)
            raise AttemptFailed(EndReason.BAD_OUTPUT, f"{name} is not a plain file of its own")
        self._grow(index)
        self._sent[index] = self._fingerprint(facts)
        return fd, facts

    def close(self) -> None:
        """Stop watching."""
        for fd in (self._folder, self._wake_out, self._wake_in):
            os.close(fd)
        if self._news is not None:
            self._news.close()

    def _watch(self, folder: Path) -> Inotify | None:
        try:
            return Inotify(folder)
        except (OSError, AttributeError) as error:
            log.info("chunks_are_polled", error=str(error))
            return None

    def _note(self, mask: int, name: str) -> list[int]:
        match = _NAME.fullmatch(name)
        if match is None:
            return []
        index = int(match[1])
        self._grow(index)
        self._seen[index] |= _EXISTS | (_CLOSED if mask & (CLOSE_WRITE | MOVED_TO) else 0)
        return [it for it in (index - 1, index) if self._is_news(it)]

    def _is_news(self, index: int) -> bool:
        """Tell whether a chunk is finished, once."""
        if not 0 <= index < len(self._seen) - 1 or not self._seen[index + 1]:
            return False
        if self._seen[index] & (_CLOSED | _TOLD) != _CLOSED:
            return False
        self._seen[index] |= _TOLD
        return True

    def _look(self) -> list[int]:
        """Return unsent chunks that nobody has touched for a while and that have a successor."""
        ready: list[int] = []
        facts = self._stat(self._cursor)
        while facts is not None and (successor := self._stat(self._cursor + 1)) is not None:
            if time.time() - facts.st_mtime < _QUIET_S:
                break
            self._grow(self._cursor + 1)
            self._seen[self._cursor] |= _EXISTS | _CLOSED
            self._seen[self._cursor + 1] |= _EXISTS
            if self._is_news(self._cursor):
                ready.append(self._cursor)
            self._cursor += 1
            facts = successor
        return ready

    def _stat(self, index: int) -> os.stat_result | None:
        try:
            return os.stat(chunk_name(index), dir_fd=self._folder, follow_symlinks=False)
        except FileNotFoundError:
            return None

    def _grow(self, index: int) -> None:
        if index >= self._max:
            raise AttemptFailed(EndReason.BAD_OUTPUT, f"the partitioner wrote more than {self._max} chunks")
        missing = index + 1 - len(self._seen)
        if missing > 0:
            self._seen.extend(bytes(missing))
            self._sent.frombytes(bytes(8 * missing))

    def _check_all(self) -> int:
        """Return the number of chunks when they are numbered without a gap and nothing else lies there."""
        present = bytearray(len(self._seen))
        with os.scandir(self._folder) as entries:
            for entry in entries:
                match = _NAME.fullmatch(entry.name)
                if match is None:
                    raise AttemptFailed(
                        EndReason.BAD_OUTPUT,
                        f"the partitioner left {entry.name[:200]!a} in CHUNKS_DIR, where only data_<i>.bin belong",
                    )
                index = int(match[1])
                self._grow(index)
                present.extend(bytes(max(0, index + 1 - len(present))))
                present[index] = 1
        if not any(present):
            raise AttemptFailed(EndReason.BAD_OUTPUT, "the partitioner wrote no chunk")
        count = present.rfind(1) + 1
        gap = present.find(0, 0, count)
        if gap >= 0:
            after = present.find(1, gap)
            raise AttemptFailed(
                EndReason.BAD_OUTPUT,
                f"the partitioner wrote no {chunk_name(gap)} but {chunk_name(after)}",
            )
        return count

    @staticmethod
    def _fingerprint(facts: os.stat_result) -> int:
        """Return what changes when the file does; never 0, which stands for unsent."""
        return hash((facts.st_size, facts.st_mtime_ns, facts.st_ino)) or 1
