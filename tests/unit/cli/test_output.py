"""Tests of tables and other things that commands print."""

import pytest

from cli.output import clean, fields, moment, rest_of, table

ROWS = [("3b6f1d52-74c6-4f3e-9a35-0d5c6d6f6a10", "n" * 80, "Complete"), ("short", "", "Failed")]
TITLES = ("id", "name", "state")


@pytest.fixture
def terminal(monkeypatch):
    """A terminal of 60 columns that knows colours."""
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "60")
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("NO_COLOR", raising=False)


def test_a_table_is_as_wide_as_its_cells_where_nobody_looks():
    shown = table(TITLES, ROWS)
    assert "n" * 80 in shown
    assert "\x1b" not in shown
    assert shown.splitlines()[2].startswith("short  ")


def test_a_table_fits_the_terminal(terminal, monkeypatch):
    monkeypatch.setenv("NO_COLOR", "1")
    lines = table(TITLES, ROWS).splitlines()
    assert max(map(len, lines)) <= 60
    assert "…" in lines[1]
    assert lines[1].endswith("Complete")
    assert len(lines) == 3


def test_a_terminal_gets_colours_unless_they_are_not_wanted(terminal, monkeypatch):
    assert "\x1b[32m" in table(TITLES, ROWS)
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b[32m" not in table(TITLES, ROWS)


def test_whole_columns_on_request(terminal):
    assert "n" * 80 in table(TITLES, ROWS, wide=True)


def test_control_characters_and_markup_do_not_reach_the_terminal(terminal):
    shown = table(("a",), [("[red]x\x1b[2J\x07",)])
    assert "[red]x [2J " in shown
    assert clean({"a": "\x1b"}) == '{"a": "\\u001b"}'


def test_a_list_tells_how_many_more_there_are():
    assert rest_of({"pagination": {"total": 7, "hasNext": True}}).startswith("\n(7 in all")
    assert rest_of({"pagination": {"total": 7, "hasNext": False}}) == ""


def test_fields_leave_out_what_says_nothing():
    assert fields({"a": 1, "bb": "", "c": [], "d": False}, ("a", "bb", "c", "d")) == "a  1\nd  False"


def test_times_are_short():
    assert moment("2026-01-02T03:04:05.678Z") == "2026-01-02 03:04:05"
    assert moment(None) == ""
