"""Keys as paths: like the key where that can be, never another's, never out of the folder."""

from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from storage.sources.local_paths import make_file, printable


def made(folder: Path, *keys: str) -> list[str]:
    return [str(make_file(folder, key, key).relative_to(folder)) for key in keys]


@pytest.mark.parametrize(
    "key",
    ["a.txt", "a/b/c.txt", "100%.txt", "a%20b", "Grüße/ü", "u\u0308", "back\\slash", " ", "~", ".hidden"],
)
def test_a_key_that_can_be_a_path_is_kept(tmp_path: Path, key: str) -> None:
    assert made(tmp_path, key) == [key]
    assert (tmp_path / key).read_bytes() == b""


@pytest.mark.parametrize(
    ("key", "path"),
    [
        ("../../etc/passwd", "%2E%2E/%2E%2E/etc/passwd"),
        ("/etc/passwd", "%2F/etc/passwd"),
        ("a//b", "a/%2F/b"),
        ("a/./b/", "a/%2E/b/%2F"),
        ("new\nline\0", "new%0Aline%00"),
        ("100%\x7f", "100%25%7F"),
        ("\x85", "%C2%85"),
    ],
)
def test_what_can_not_be_a_name_is_percent_encoded(tmp_path: Path, key: str, path: str) -> None:
    assert made(tmp_path, key) == [path]


def test_too_long_names_are_cut_and_those_of_a_folder_stay_together(tmp_path: Path) -> None:
    long = "ä" * 200
    one, two, other = made(tmp_path, f"{long}/1.txt", f"{long}/2.txt", f"{long}b.txt")
    assert Path(one).parent == Path(two).parent
    assert (Path(one).name, Path(two).name, Path(other).suffix) == ("1.txt", "2.txt", ".txt")
    [deep] = made(tmp_path, "/".join(["0123456789"] * 300))
    assert len(deep) < 300


def test_a_folder_gives_way_to_a_file_of_its_name_and_a_file_to_a_folder(tmp_path: Path) -> None:
    assert made(tmp_path, "a", "a/b", "a/c") == ["a", "a%2F/b", "a%2F/c"]
    folder, file = made(tmp_path, "d/e", "d")
    assert folder == "d/e"
    assert file.startswith("d~")


def test_the_second_of_a_name_gets_a_digest_before_its_extension(tmp_path: Path) -> None:
    first, second = (make_file(tmp_path, "x.txt", key).name for key in ("a/x.txt", "b/x.txt"))
    assert first == "x.txt"
    assert second.startswith("x~")
    assert second.endswith(".txt")


_PARTS = st.sampled_from(["", ".", "..", "a", "b", "a%2F", "%2F", "\x01", "%01", "é" * 150]) | st.text(
    max_size=4
)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.lists(_PARTS, min_size=1, max_size=4).map("/".join), unique=True, max_size=12))
def test_no_key_gets_the_path_of_another_or_one_outside(keys: Sequence[str]) -> None:
    with TemporaryDirectory() as above:
        folder = Path(above, "source")
        folder.mkdir()
        files = [make_file(folder, key, key) for key in keys]
        assert {it.resolve() for it in files} == {it for it in folder.resolve().rglob("*") if it.is_file()}
        assert len(set(files)) == len(keys)
        assert list(Path(above).iterdir()) == [folder]


def test_keys_in_a_log_take_one_line() -> None:
    assert printable("a\nb") == "a%0Ab"
