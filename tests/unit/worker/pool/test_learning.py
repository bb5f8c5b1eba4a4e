"""Unit tests of what is learned of imports: from which runs, what is left out, what survives a restart."""

import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.fixtures.clock import Clock
from worker.pool.learning import APPS_MAX, NAMES_MAX, Learned
from worker.pool.member import App

APP = App(component="a")
IMAGE = "sha256:1"


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def learned(tmp_path, clock):
    return Learned(tmp_path / "imports.json", clock.monotonic)


def test_what_two_of_three_runs_import_is_wanted_in_the_last_ones_order(learned):
    learned.ran(IMAGE, APP, (), ("a", "b", "once"))
    assert learned.wanted(IMAGE, APP) == ()
    assert not learned.is_settled(IMAGE, APP)
    learned.ran(IMAGE, APP, (), ("b", "a"))
    assert learned.wanted(IMAGE, APP) == ("b", "a")
    assert learned.is_settled(IMAGE, APP)
    learned.ran(IMAGE, APP, (), ("c",))
    assert learned.wanted(IMAGE, APP) == ("b", "a")
    learned.ran(IMAGE, APP, (), ("c",))
    assert learned.wanted(IMAGE, APP) == ("c",)


def test_images_and_apps_are_told_apart(learned):
    for _ in range(2):
        learned.ran(IMAGE, APP, (), ("a",))
    assert learned.wanted("sha256:2", APP) == ()
    assert learned.wanted(IMAGE, App(component="b")) == ()
    assert learned.wanted("", APP) == ()


def test_what_was_imported_ahead_counts_as_used(learned):
    for _ in range(2):
        learned.ran(IMAGE, APP, (), ("a", "b"))
    for _ in range(4):
        learned.ran(IMAGE, APP, ("a", "b"), ("c",))
    assert learned.wanted(IMAGE, APP) == ("a", "b", "c")


def test_the_manifests_wish_comes_first(learned):
    named = App(component="a", preload=("x", "y", "no name"))
    for _ in range(2):
        for app in (named, App(component="a", preload="off")):
            learned.ran(IMAGE, app, (), ("a",))
    assert learned.wanted(IMAGE, named) == ("x", "y")
    assert learned.wanted(IMAGE, App(component="a", preload="off")) == ()
    learned.refuse(IMAGE, named, {"x": "leaves a thread"})
    assert learned.wanted(IMAGE, named) == ("y",)


def test_crashes_in_a_row_end_it_for_an_hour_also_for_named_imports(learned, clock):
    app = App(component="a", preload=("x",))
    assert not learned.crashed(IMAGE, app)
    learned.ran(IMAGE, app, ("x",), ())
    assert not learned.crashed(IMAGE, app)
    assert learned.crashed(IMAGE, app)
    assert learned.wanted(IMAGE, app) == ()
    clock.now += 3601
    assert learned.wanted(IMAGE, app) == ("x",)


def test_odd_names_and_too_many_are_left_out(learned):
    names = ("ok.sub", "", "a b", "../x", "__main__", "x" * 201, *(f"m{it}" for it in range(3000)))
    for _ in range(2):
        learned.ran(IMAGE, APP, (), names)
    wanted = learned.wanted(IMAGE, APP)
    assert len(wanted) == NAMES_MAX
    assert wanted[:2] == ("ok.sub", "m0")


def test_only_the_apps_used_last_are_kept(learned):
    for it in range(APPS_MAX + 1):
        for _ in range(2):
            learned.ran(IMAGE, App(component=str(it)), (), ("m",))
    assert learned.wanted(IMAGE, App(component="0")) == ()
    assert learned.wanted(IMAGE, App(component="1")) == ("m",)


def test_a_restart_knows_it_still(learned, tmp_path):
    for _ in range(2):
        learned.ran(IMAGE, APP, (), ("a", "b"))
    learned.refuse(IMAGE, APP, {"a": "opens a socket"})
    learned.save()
    again = Learned(tmp_path / "imports.json")
    assert again.wanted(IMAGE, APP) == ("b",)
    assert again.is_settled(IMAGE, APP)
    (tmp_path / "imports.json").unlink()
    for _ in range(3):
        again.ran(IMAGE, APP, ("b",), ("a",))
    again.save()
    assert not (tmp_path / "imports.json").exists()


def test_a_folder_that_can_not_be_written_is_no_harm(learned, tmp_path):
    (tmp_path / "imports.new").mkdir()
    learned.ran(IMAGE, APP, (), ("a",))
    learned.save()


LESSON = {"image": IMAGE, "component": "a", "runs": 2, "seen": {"a": 3, "b c": 7}, "refused": {}}


@pytest.mark.parametrize(
    ("content", "wanted"),
    [
        (json.dumps([LESSON]), ("a",)),
        (json.dumps([LESSON | {"seen": {"a": -1}}]), ("a",)),
        (json.dumps([LESSON | {"seen": {"a": "x"}}]), ()),
        (json.dumps([LESSON | {"more": 1}]), ()),
        (json.dumps({"a": 1}), ()),
        ("[{", ()),
        ("", ()),
    ],
)
def test_a_damaged_file_is_forgotten(tmp_path, content, wanted):
    (tmp_path / "f").write_text(content)
    assert Learned(tmp_path / "f").wanted(IMAGE, APP) == wanted


@given(st.binary(max_size=200))
@settings(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_bytes_make_a_start(tmp_path, content):
    (tmp_path / "f").write_bytes(content)
    assert Learned(tmp_path / "f").wanted(IMAGE, APP) == ()
