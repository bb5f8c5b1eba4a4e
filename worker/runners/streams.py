"""The pipes that carry what a script prints to its sink."""

import contextlib
import os
import select
import time

from worker.runners.protocol import OutputSink

READ_BYTES = 1 << 16
OPEN_TO_ALL = 0o622
TAIL_BYTES = 2048
LINE_CHARACTERS = 200


class Streams(contextlib.AbstractContextManager["Streams"]):
    """Two pipes, stdout and stderr: the script gets the write ends, the sink what comes out of the others."""

    def __init__(self, sink: OutputSink) -> None:
        self._sink = sink
        self._tail = b""
        self._open: dict[int, str] = {}
        self.write_ends: list[int] = []
        for name in ("stdout", "stderr"):
            read_end, write_end = os.pipe2(os.O_CLOEXEC)
            os.set_blocking(read_end, False)
            os.fchmod(
                write_end, OPEN_TO_ALL
            )  # who opens /dev/stdout anew may be another user than the worker
            self._open[read_end] = name
            self.write_ends.append(write_end)

    def __exit__(self, *_: object) -> None:
        self.close_write_ends()
        for fd in tuple(self._open):
            self._close(fd)

    @property
    def read_ends(self) -> tuple[int, ...]:
        """The descriptors that may still bring something."""
        return tuple(self._open)

    def close_write_ends(self) -> None:
        """Close our copies of the script's ends, without which there is no end of file."""
        while self.write_ends:
            os.close(self.write_ends.pop())

    def pump(self, fd: int) -> bool:
        """Move what one pipe holds, up to 64 KiB, to the sink; tell whether it may bring more."""
        try:
            data = os.read(fd, READ_BYTES)
        except BlockingIOError:
            return True
        if not data:
            self._close(fd)
            return False
        name = self._open[fd]
        if name == "stderr":
            self._tail = (self._tail + data[-TAIL_BYTES:])[-TAIL_BYTES:]
        self._sink.write(name, data)
        return True

    def drain(self, within_s: float) -> None:
        """Move the rest: to the end of both files, or until the time is over."""
        deadline = time.monotonic() + within_s
        poll = select.poll()
        for fd in self._open:
            poll.register(fd, select.POLLIN)
        while self._open and (left_s := deadline - time.monotonic()) > 0:
            for fd, _ in poll.poll(left_s * 1000):
                if not self.pump(fd):
                    poll.unregister(fd)

    def last_line(self) -> str:
        """Return the last line on stderr that isn't blank, cut to 200 characters; "" when there is none."""
        lines = self._tail.decode("utf-8", "replace").strip().splitlines()
        return lines[-1].strip()[:LINE_CHARACTERS] if lines else ""

    def _close(self, fd: int) -> None:
        del self._open[fd]
        os.close(fd)
