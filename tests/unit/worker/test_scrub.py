"""Values of secrets are not let through, however they are written and cut."""

import base64
import json
import shlex
import subprocess
import sys
from urllib.parse import quote, quote_plus, urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.scrub import ScrubbedSink, Scrubber

VALUE = 'pa"s w/ö+rd\\%&'
PEM = "-----BEGIN KEY-----\n" + "\n".join("abcdefghijkl"[at] * 60 + "+/=" for at in range(5)) + "\nend\n"


class Sink:
    def __init__(self):
        self.got = {"stdout": b"", "stderr": b""}

    def write(self, stream, data):
        assert data
        self.got[stream] += data


def through(scrubber, *pieces):
    sink = Sink()
    scrubbed = ScrubbedSink(sink, scrubber)
    for piece in pieces:
        scrubbed.write("stdout", piece)
    scrubbed.finish()
    return sink.got["stdout"]


FORMS = {
    "as it is": VALUE,
    "JSON": json.dumps(VALUE),
    "JSON with its own letters": json.dumps(VALUE, ensure_ascii=False),
    "in a URL": quote(VALUE),
    "in a query": urlencode({"q": VALUE}),
    "in a URL, all of it": quote(VALUE, safe=""),
    "plus for blank": quote_plus(VALUE),
    "Python's repr": repr(VALUE),
    "Python's repr of bytes": repr(VALUE.encode()),
    "base64": base64.b64encode(VALUE.encode()).decode(),
    "base64 of URLs": base64.urlsafe_b64encode(VALUE.encode()).decode(),
    "base64 without its end": base64.b64encode(VALUE.encode()).decode().rstrip("="),
    "base64 behind a user": base64.b64encode(f"me:{VALUE}".encode()).decode(),
    "base64 behind another user": base64.b64encode(f"you:{VALUE}".encode()).decode(),
    "base64 before more": base64.b64encode(f"{VALUE}:me".encode()).decode(),
    "hexadecimal": VALUE.encode().hex(),
}


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_every_form_is_masked(form):
    got = through(Scrubber([VALUE]), f"before {form} after\n".encode())
    assert got.startswith(b"before ")
    assert got.endswith(b" after\n")
    assert b"***" in got
    # What is left of a form is its surroundings: a key, a few characters of base64.
    assert len(got) <= len("before *** after\n") + 12


def leaks(output, value):
    """Return whether a third of the value, or of its base64, is in the output."""
    raw = value.encode()
    for text in (raw, base64.b64encode(raw)):
        size = max(8, len(text) // 3)
        if any(text[at : at + size] in output for at in range(len(text) - size + 1)):
            return True
    return False


@given(st.data())
def test_it_makes_no_difference_where_the_output_is_cut(data):
    text = f"one {VALUE} two {base64.b64encode(VALUE.encode()).decode()} three {VALUE}{VALUE}\n{VALUE[:5]}".encode()
    places = sorted(data.draw(st.sets(st.integers(1, len(text) - 1), max_size=6)))
    pieces = [text[start:end] for start, end in zip([0, *places], [*places, len(text)], strict=True)]
    got = through(Scrubber([VALUE]), *pieces)
    assert VALUE.encode() not in got
    assert not leaks(got, VALUE)
    assert got.startswith(b"one *** two ***")
    assert got.endswith(VALUE[:5].encode())


@given(
    st.lists(st.binary(max_size=30), max_size=10), st.lists(st.text("ab", min_size=4, max_size=8), max_size=3)
)
def test_no_value_comes_through_and_nothing_else_is_lost(pieces, values):
    scrubber = Scrubber(values)
    got = through(scrubber, *pieces)
    assert not any(value.encode() in got for value in values)
    if scrubber.scrub(b"".join(pieces)) == b"".join(pieces):
        assert got == b"".join(pieces)


def test_bytes_go_on_at_once_unless_they_may_be_a_beginning():
    sink = Sink()
    scrubbed = ScrubbedSink(sink, Scrubber(["swordfish"]))
    scrubbed.write("stdout", b"a line\n")
    assert sink.got["stdout"] == b"a line\n"
    scrubbed.write("stdout", b"then swo")
    scrubbed.write("stderr", b"rdfish")
    assert sink.got == {"stdout": b"a line\nthen ", "stderr": b"rdfish"}
    scrubbed.write("stdout", b"op")
    assert sink.got["stdout"] == b"a line\nthen swoop"


def test_a_key_of_many_lines_is_masked_line_by_line():
    for text in (
        PEM.encode(),
        PEM.replace("\n", "\r\n").encode(),
        json.dumps({"key": PEM}).encode(),
        f"> {PEM.splitlines()[2]}\n".encode(),
        base64.encodebytes(PEM.encode()),
        *([PEM[at:].encode() for at in (1, 25)]),
    ):
        for pieces in ([text], [text[at : at + 7] for at in range(0, len(text), 7)]):
            got = through(Scrubber([PEM]), *pieces)
            assert b"***" in got
            assert not any(letter * 20 in got.decode() for letter in "abcdefghijkl"[2:5])


def test_short_values_and_no_values_cost_nothing():
    assert not Scrubber(["abc", ""])
    assert not Scrubber(())
    assert Scrubber(["abcd"])
    assert Scrubber(()).text("as it is") == "as it is"


def test_messages_do_not_quote_parts_of_values():
    scrubber = Scrubber(["0123456789abcdef"])
    assert scrubber.text("exit code 1: key 0123456789abcdef!") == "exit code 1: key ***!"
    assert scrubber.text("exit code 1: key 0123456789ab") == "exit code 1: key ***"
    assert scrubber.text("456789abcdef is wrong") == "*** is wrong"
    assert scrubber.text("exit code 1: größer") == "exit code 1: größer"
    assert scrubber.text("lone \ud800") == "lone ?"


def test_what_a_shell_prints_is_masked():
    script = (
        f"import base64; v = {VALUE!r}; print(v); print([v]); print({{'a': v.encode()}}); raise ValueError(v)"
    )
    printed = subprocess.run(
        [sys.executable, "-I", "-X", "utf8", "-c", script], capture_output=True, check=False
    )
    for output in (printed.stdout, printed.stderr, shlex.quote(VALUE).encode()):
        assert VALUE.encode() not in through(Scrubber([VALUE]), output)


def test_values_of_very_many_lines_do_not_slow_a_worker_down():
    values = ["\n".join(f"{number:09}{line:03}" for line in range(1000)) for number in range(20)]
    assert len(Scrubber(values)._forms) < 4000
    assert Scrubber(values[:1]).scrub(values[0].encode()) == b"***"
