"""Tests of the tree of errors."""

import inspect
import re

import pytest

from gridloom import errors
from gridloom.errors import AttemptFailed, BadInput, GridloomError, RunnerFailed
from gridloom.states import EndReason

CLASSES = [it for _, it in inspect.getmembers(errors, inspect.isclass) if issubclass(it, GridloomError)]


def drawn_tree():
    """Return name -> (parent's name, status or None, drawn as retryable) as the module's docstring draws it."""
    tree, line_of_parents = {}, []
    for indent, name, status, rest in re.findall(
        r"^( {4,})(\w+) +(?:status )?(\d+|-)(.*)$", errors.__doc__, re.MULTILINE
    ):
        depth = len(indent) // 2 - 2
        line_of_parents[depth:] = [name]
        parent = line_of_parents[depth - 1] if depth else None
        tree[name] = (parent, None if status == "-" else int(status), "retryable" in rest)
    return tree


def test_the_docstring_draws_every_class():
    assert drawn_tree().keys() == {it.__name__ for it in CLASSES}


@pytest.mark.parametrize("error", CLASSES)
def test_a_class_is_as_drawn(error):
    parent, status, retryable = drawn_tree()[error.__name__]
    assert error.__base__.__name__ == (parent or "Exception")
    assert status in (None, error.status)
    assert error.retryable is retryable


@pytest.mark.parametrize("error", CLASSES)
def test_a_class_says_when_it_is_raised(error):
    assert error is GridloomError or error.__doc__.startswith("Raised ")


def test_an_error_reads_as_its_message():
    assert str(BadInput("name is too long", field="/name")) == "name is too long"


def test_bad_input_names_its_place():
    assert BadInput("no").field == ""
    assert BadInput("no", field="/a/b").field == "/a/b"


def test_a_failed_attempt_carries_reason_and_exit_code():
    failed = AttemptFailed(EndReason.EXIT_NONZERO, "exit code 3", exit_code=3)
    assert (failed.reason, failed.exit_code) == (EndReason.EXIT_NONZERO, 3)


def test_a_broken_runner_is_no_fault_of_the_user():
    assert RunnerFailed("slot is gone").reason is EndReason.RUNNER_FAILED
