"""Tests of questions to the person at the terminal."""

import io

import pytest
import typer

from cli.questions import NobodyToAsk, ask, confirm, read_hidden
from gridloom.errors import BadInput


@pytest.fixture
def type_in(monkeypatch):
    """Return what puts a text on standard input, at a terminal or not."""

    def put(text, *, terminal):
        stream = io.StringIO(text)
        stream.isatty = lambda: terminal
        monkeypatch.setattr("sys.stdin", stream)

    return put


@pytest.mark.parametrize("answer", ["y\n", "yes\n"])
def test_a_yes_goes_on(type_in, answer):
    type_in(answer, terminal=True)
    confirm("Delete it?", yes=False)


@pytest.mark.parametrize("answer", ["n\n", "\n"])
def test_anything_else_does_nothing(type_in, answer):
    type_in(answer, terminal=True)
    with pytest.raises(BadInput, match="nothing was done"):
        confirm("Delete it?", yes=False)


def test_the_end_of_the_input_interrupts(type_in):
    type_in("", terminal=True)
    with pytest.raises(typer.Abort):
        confirm("Delete it?", yes=False)


def test_questions_do_not_disturb_the_result(type_in, capsys):
    type_in("y\n", terminal=True)
    confirm("Delete it?", yes=False)
    said = capsys.readouterr()
    assert said.out == ""
    assert "Delete it?" in said.err


def test_without_a_terminal_the_option_is_named(type_in):
    type_in("y\n", terminal=False)
    with pytest.raises(NobodyToAsk, match="--yes") as refused:
        confirm("Delete it?", yes=False)
    assert refused.value.exit_code == 2
    confirm("Delete it?", yes=True)
    with pytest.raises(NobodyToAsk, match="say --type"):
        ask("type", otherwise="say --type")


def test_an_answer_is_trimmed(type_in):
    type_in(" 123456 \n", terminal=True)
    assert ask("code", otherwise="") == "123456"


@pytest.mark.parametrize(("text", "secret"), [("s3cr3t\n", "s3cr3t"), ("a\nb\n", "a\nb"), (" x ", " x ")])
def test_a_secret_comes_from_standard_input(type_in, text, secret):
    type_in(text, terminal=False)
    assert read_hidden("key") == secret


def test_a_secret_comes_from_a_file(tmp_path):
    (tmp_path / "key").write_text("s3cr3t\r\n")
    assert read_hidden("key", tmp_path / "key") == "s3cr3t"
    with pytest.raises(BadInput, match="can't read"):
        read_hidden("key", tmp_path / "none")


def test_a_secret_that_is_typed_is_not_shown(type_in, monkeypatch):
    type_in("", terminal=True)
    monkeypatch.setattr("cli.questions.getpass", lambda asked: asked == "key: " and "s3cr3t")
    assert read_hidden("key") == "s3cr3t"


def test_no_secret_at_all_is_refused(type_in):
    type_in("\n", terminal=False)
    with pytest.raises(BadInput, match="there is none"):
        read_hidden("key")
