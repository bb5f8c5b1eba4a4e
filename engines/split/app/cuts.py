"""Cuts files at byte offsets: after every so many lines, or after so many bytes.

Offsets are found by one read of the file and ranges copied by another, in blocks, so memory stays constant.
"""

import os

BLOCK = 1 << 20


def line_ends(source, start: int, lines: int):
    """Yield the offset after every `lines` lines from `start` on, and at last the end of the file."""
    offset, wanted, end = start, lines, start
    source.seek(start)
    for block in iter(lambda: source.read(BLOCK), b""):
        place = 0
        held = block.count(b"\n")
        while held >= wanted:
            held -= wanted
            for _ in range(wanted):
                place = block.index(b"\n", place) + 1
            end, wanted = offset + place, lines
            yield end
        wanted -= held
        offset += len(block)
    if offset > end:
        yield offset


def byte_ends(start: int, end: int, size: int):
    """Yield the offset after every `size` bytes from `start` on, and at last `end`."""
    yield from range(start + size, end, size)
    if end > start:
        yield end


def size_ends(source, start: int, end: int, size: int):
    """Yield offsets at most `size` bytes apart that fall behind a line's end; further apart where a line is longer."""
    while start < end:
        start = whole_line_end(source, start, end, size)
        yield start


def whole_line_end(source, start: int, end: int, size: int) -> int:
    """Find the last line end within `size` bytes of `start`; if there is none, the first one behind them."""
    if start + size >= end:
        return end
    upper = start + size
    while upper > start:
        lower = max(start, upper - BLOCK)
        source.seek(lower)
        found = source.read(upper - lower).rfind(b"\n")
        if found >= 0:
            return lower + found + 1
        upper = lower
    return next(line_ends(source, start + size, 1))


def copy_range(source, start: int, end: int, target) -> None:
    """Append the bytes from `start` to `end` to `target`."""
    while start < end:
        block = os.pread(source.fileno(), min(BLOCK, end - start), start)
        if not block:
            raise EOFError(f"{source.name} became shorter while it was read")
        target.write(block)
        start += len(block)


def split_lines(sources, chunks, lines: int, header_lines: int) -> int:
    """Write chunks of `lines` lines, each preceded by the file's header; return how many."""
    return write_chunks(
        sources, chunks, header_lines, lambda source, start, _: line_ends(source, start, lines)
    )


def split_size(sources, chunks, size: int, header_lines: int, *, whole_lines: bool) -> int:
    """Write chunks of `size` bytes, the header not counted; return how many."""
    if whole_lines:
        return write_chunks(sources, chunks, header_lines, lambda *file: size_ends(*file, size))
    return write_chunks(sources, chunks, header_lines, lambda _, start, end: byte_ends(start, end, size))


def write_chunks(sources, chunks, header_lines: int, ends) -> int:
    """Write a chunk for every offset of `ends(source, start, end)`; an empty source becomes one chunk."""
    count = 0
    for path in sources:
        with path.open("rb", buffering=0) as source:
            header = next(line_ends(source, 0, header_lines), 0) if header_lines else 0
            start, size = header, path.stat().st_size
            for end in ends(source, start, size) if start < size else (size,):
                with (chunks / f"data_{count}.bin").open("xb") as target:
                    copy_range(source, 0, header, target)
                    copy_range(source, start, end, target)
                start = end
                count += 1
    return count
