import pytest
from hypothesis import given
from hypothesis import strategies as st

from gridloom import log_frames
from gridloom.log_frames import Entry
from gridloom.logs import LEVELS, LogLevel

TEXTS = st.text(st.characters(exclude_categories=["Cs"]))
ENTRIES = st.builds(
    Entry,
    t=st.integers(10**15, 10**16 - 1),
    chunk=st.integers(0, 2**31),
    attempt=st.integers(1, 99),
    stream=st.sampled_from(["stdout", "stderr", "fabric"]),
    level=st.sampled_from(LEVELS),
    text=TEXTS,
)


@given(st.lists(ENTRIES, min_size=1))
def test_lines_come_back_and_their_head_can_be_read_in_the_raw(entries):
    frame = log_frames.pack("".join(map(log_frames.json_line, entries)).encode())
    *lines, rest = log_frames.unpack(frame).split(b"\n")
    assert rest == b""
    assert log_frames.from_json(lines) == entries
    for line, entry in zip(lines, entries, strict=True):
        assert int(log_frames.time_of(line)) == entry.t
        assert int(log_frames.chunk_of(line)) == entry.chunk
        assert (log_frames.stream_mark("fabric") in line) is (entry.stream == "fabric")


@given(TEXTS)
def test_no_text_holds_a_lines_end_or_the_byte_of_a_level(text):
    found = log_frames.searchable(text.lower())
    assert not any(log_frames.level_byte(level) in found for level in LEVELS)
    assert b"\n" not in found


def test_times_have_sixteen_digits():
    assert log_frames.micros(0) == 10**15
    assert log_frames.micros(10**17) == 10**16 - 1
    assert log_frames.micros(1767323045678900) == 1767323045678900


def test_frames_are_joined_in_their_order():
    joined = log_frames.join([log_frames.pack(b"a\n"), log_frames.pack(b"b\n")])
    assert log_frames.unpack(joined) == b"a\nb\n"


@pytest.mark.parametrize("damage", [b"", b"no zstd", log_frames.pack(b"lines\n" * 99)[:-3]])
def test_what_is_no_frame_is_a_value_error(damage):
    with pytest.raises(ValueError, match="damaged frame"):
        log_frames.unpack(damage)


def test_a_frame_that_would_fill_the_memory_is_not_unpacked(monkeypatch):
    monkeypatch.setattr(log_frames, "MOST_BYTES", 10)
    with pytest.raises(ValueError, match="too large"):
        log_frames.unpack(log_frames.pack(b"0" * 11))


def test_a_line_with_a_member_missing_is_an_error():
    line = log_frames.json_line(
        Entry(t=10**15, chunk=0, attempt=1, stream="stdout", level=LogLevel.INFO, text="")
    )
    with pytest.raises(KeyError):
        log_frames.from_json([line.replace('"m"', '"x"').encode()])
