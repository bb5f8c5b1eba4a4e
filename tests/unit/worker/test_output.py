"""Unit tests of the capture of what scripts print."""

import threading
import time
from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from worker.output import LINE_BYTES, OutputCapture


def texts(capture: OutputCapture) -> list[tuple[str, str]]:
    capture.finish()
    return [(line.stream, line.text) for line in capture.drain()]


def test_lines_come_out_whole_however_they_were_written():
    capture = OutputCapture()
    for part in (b"on", b"e\ntwo\r\n", b"", b"thr"):
        capture.write("stdout", part)
    capture.write("stderr", b"other\n")
    assert [line.text for line in capture.drain()] == ["one", "two", "other"]
    assert texts(capture) == [("stdout", "thr")]


def test_a_line_carries_the_time_when_it_began_to_arrive():
    before = datetime.now(UTC)
    capture = OutputCapture()
    capture.write("stdout", b"x\n")
    assert before <= capture.drain()[0].ts <= datetime.now(UTC)


def test_what_is_no_utf8_is_replaced():
    capture = OutputCapture()
    capture.write("stdout", b"a\xff\xfeb\n")
    assert texts(capture) == [("stdout", "a\ufffd\ufffdb")]


def test_a_long_line_is_cut_between_characters():
    capture = OutputCapture()
    line = "x" + "ä" * LINE_BYTES
    capture.write("stdout", line.encode() + b"\n")
    pieces = [text for _, text in texts(capture)]
    assert "".join(pieces) == line
    assert all(len(piece.encode()) <= LINE_BYTES for piece in pieces)


def test_the_middle_of_a_flood_is_left_out_and_counted():
    capture = OutputCapture(cap_bytes=20_000)
    lines = [f"line {number}" for number in range(10_000)]
    for line in lines:
        capture.write("stdout", line.encode() + b"\n")
    found = texts(capture)
    words = [text for stream, text in found if stream == "fabric"]
    kept = [text for stream, text in found if stream == "stdout"]
    assert len(words) == 1
    assert (
        words[0]
        == f"… {10_000 - len(kept)} lines ({sum(len(it) + 1 for it in set(lines) - set(kept))} bytes) left out …"
    )
    assert kept[0] == "line 0"
    assert kept[-1] == "line 9999"
    place = found.index(("fabric", words[0]))
    assert [text for _, text in found[:place]] == lines[:place]


def test_a_flood_costs_neither_time_nor_memory():
    capture, block = OutputCapture(), (b"x" * 79 + b"\n") * 819
    started = time.process_time()
    for _ in range(1600):
        capture.write("stdout", block)
    assert time.process_time() - started < 2
    assert sum(len(text) for _, text in texts(capture)) < 1 << 20


def test_a_flood_of_empty_lines_is_bounded_too():
    capture = OutputCapture()
    for _ in range(200):
        capture.write("stdout", b"\n" * 65536)
    assert len(texts(capture)) < 100_000


def test_draining_from_another_thread_loses_and_doubles_nothing():
    capture, done = OutputCapture(), threading.Event()
    taken = []

    def ship():
        while not done.is_set():
            taken.extend(capture.drain())

    thread = threading.Thread(target=ship)
    thread.start()
    for number in range(2000):
        capture.write("stdout", b"%d\n" % number)
    done.set()
    thread.join()
    capture.finish()
    taken.extend(capture.drain())
    assert [line.text for line in taken] == [str(number) for number in range(2000)]


@given(st.lists(st.tuples(st.sampled_from(["stdout", "stderr"]), st.binary(max_size=200)), max_size=50))
def test_below_the_bound_every_byte_comes_out_in_its_stream(writes):
    capture = OutputCapture()
    for stream, data in writes:
        capture.write(stream, data)
    found = texts(capture)
    for name in ("stdout", "stderr"):
        data = b"".join(part for stream, part in writes if stream == name)
        lines = data.split(b"\n")
        lines = lines if lines[-1] else lines[:-1]
        assert [text for stream, text in found if stream == name] == [
            line.removesuffix(b"\r").decode("utf-8", "replace") for line in lines
        ]
