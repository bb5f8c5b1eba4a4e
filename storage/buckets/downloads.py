"""Reads objects: whole, by range, and in ranges side by side, going on where an answer broke off."""

import os
import random
import time
from collections.abc import Generator
from contextlib import closing
from itertools import count

import structlog

from storage.buckets.failures import BodyBroken, Failure
from storage.buckets.objects import Block, Progress
from storage.buckets.session import Session
from storage.side_by_side import SideBySide

log = structlog.get_logger()
_BLOCK = 1 << 20
_RANGE = 8 << 20  # a range of this many bytes is worth a call of its own
_MOST_RANGES = 1000
_TRIES = 5
_LONGEST_PAUSE_S = 4


def read_blocks(
    session: Session, key: str, offset: int, length: int | None, etag: str, block: int = _BLOCK
) -> Generator[Block, None, None]:
    """Yield bytes of an object, which has at least one behind `offset`; fewer than `length` come at its end."""
    end = None if length is None else offset + length
    for tries in count(1):
        body = session.get(key, offset, None if end is None else end - offset, etag, block)
        etag, end = etag or body.etag, offset + body.size if end is None else min(end, offset + body.size)
        try:
            with closing(body.blocks):
                for found in body.blocks:
                    if offset >= end:
                        return  # a server may send more than it was asked for
                    piece = found[: end - offset]
                    offset += len(piece)
                    yield piece
            if offset < end:
                raise BodyBroken(message="the answer ended early", unreachable=True)
        except BodyBroken as broken:
            if tries == _TRIES and offset < end:
                raise
            log.info("bucket_answer_broke", bucket=session.access.place.bucket, reason=broken.message[:200])
        if offset >= end:
            return
        time.sleep(random.uniform(0, _LONGEST_PAUSE_S * tries / _TRIES))


class Download:
    """Bytes of one object, from `offset` on, on their way to the start of an open file."""

    def __init__(self, session: Session, key: str, fd: int, *, offset: int = 0, etag: str = "") -> None:
        self._session, self._key, self._fd, self._offset, self._etag = session, key, fd, offset, etag
        self._ranges = SideBySide(session.pool, session.access.transfers)

    def run(self, size: int, on_progress: Progress) -> None:
        """Write `size` bytes, at least one."""
        if size <= _RANGE:
            self._fetch(0, size, on_progress)
            return
        step = max(_RANGE, -(-size // _MOST_RANGES))

        def fetch(start: int) -> None:
            self._fetch(start, min(start + step, size), on_progress)

        self._ranges.each(fetch, range(0, size, step))

    def _fetch(self, position: int, end: int, on_progress: Progress) -> None:
        start = self._offset + position
        with closing(
            read_blocks(self._session, self._key, start, end - position, self._etag, _BLOCK)
        ) as pieces:
            for piece in pieces:
                self._ranges.check()
                _write(self._fd, piece, position)
                position += len(piece)
                on_progress(len(piece))
        if position != end:
            raise Failure(status=416, message="the object ends early")


def _write(fd: int, data: Block, position: int) -> None:
    view = memoryview(data)
    while view:
        count = os.pwrite(fd, view, position)
        position += count
        view = view[count:]
