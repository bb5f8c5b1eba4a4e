from itertools import islice
from pathlib import PurePosixPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gridloom.errors import BadInput
from gridloom.flat_merge import merge_candidates

PARTS = st.text("ab.é_1", min_size=1, max_size=4).filter(lambda it: not it.endswith("."))
NAMES = st.lists(PARTS, min_size=1, max_size=3).map("/".join)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("image.png", ["image.png", "image_7.png", "image_7_2.png"]),
        ("README", ["README", "README_7", "README_7_2"]),
        ("a.tar.gz", ["a.tar.gz", "a.tar_7.gz", "a.tar_7_2.gz"]),
        (".env", [".env", ".env_7", ".env_7_2"]),
        ("d/x.txt", ["d/x.txt", "d/x_7.txt", "d_7/x.txt"]),
    ],
)
def test_a_taken_name_gets_the_chunk_and_keeps_its_extension(name, expected):
    assert list(islice(merge_candidates(name, 7), 3)) == expected


@pytest.mark.parametrize("name", ["", ".", "..", "/etc/passwd", "a/../b", "a//b", "./a", "a/", "a\0b"])
def test_a_name_that_is_no_plain_relative_one_is_refused(name):
    with pytest.raises(BadInput):
        next(merge_candidates(name, 0))


@given(st.lists(st.lists(NAMES, max_size=4, unique=True), max_size=8))
def test_no_file_is_lost_and_all_fit_into_one_folder(tasks):
    files, folders = [], set()
    for chunk, names in enumerate(tasks):
        for name in names:
            for chosen in islice(merge_candidates(name, chunk), 200):
                above = {str(it) for it in PurePosixPath(chosen).parents}
                if chosen not in files and chosen not in folders and above.isdisjoint(files):
                    files.append(chosen)
                    folders |= above
                    assert PurePosixPath(chosen).suffix == PurePosixPath(name).suffix
                    break
            else:
                pytest.fail(f"no name for {name}")
    assert len(set(files)) == sum(map(len, tasks))
