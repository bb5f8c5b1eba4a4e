import pytest
from hypothesis import given
from hypothesis import strategies as st

from gridloom.cache_paths import MAX_BYTES, check_cache_path
from gridloom.errors import BadInput


@pytest.mark.parametrize("path", ["a", "models/llama 3/weights.bin", "ä/ö", ".hidden", "a" * 255])
def test_plain_relative_paths_are_taken_as_they_are(path):
    assert check_cache_path(path) == path


@pytest.mark.parametrize(
    "path",
    [
        "",
        "/etc/passwd",
        "../x",
        "a/../b",
        "a//b",
        "a/",
        "./a",
        "a\0b",
        "a\nb",
        "a\\b",
        "\ud800",
        "a" * 256,
        "a/" * 32 + "a",
        "/".join(["ä" * 100] * 6),
        ".gridloom-x",
    ],
)
def test_all_others_are_refused_by_the_members_name(path):
    with pytest.raises(BadInput) as caught:
        check_cache_path(path, "path")
    assert caught.value.field == "path"


@given(st.text(st.sampled_from("a./\\\0é"), max_size=30))
def test_what_passes_never_leaves_the_folder(path):
    try:
        check_cache_path(path)
    except BadInput:
        return
    assert len(path.encode()) <= MAX_BYTES
    assert not path.startswith("/")
    assert ".." not in path.split("/")
