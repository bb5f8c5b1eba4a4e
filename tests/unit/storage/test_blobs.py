"""The shape of keys."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gridloom.errors import BadInput
from storage.blobs import check_key


@pytest.mark.parametrize(
    "key", ["a", "jobs/job_1/chunks/data_0.bin", "a/.b=c-d", "a" * 255, "/".join(["a" * 7] * 128)]
)
def test_an_ordinary_key_is_taken(key: str) -> None:
    assert check_key(key) == key


@pytest.mark.parametrize(
    "key",
    [
        "",
        "/a",
        "a/",
        "a//b",
        "..",
        "a/../b",
        "a/./b",
        "...",
        "a b",
        "a\n",
        "a\x00",
        "é",
        "a\\b",
        "a" * 256,
        "/".join(["a" * 7] * 129),
    ],
)
def test_a_malformed_key_is_refused(key: str) -> None:
    with pytest.raises(BadInput) as caught:
        check_key(key)
    assert caught.value.field == "key"


@given(st.text(st.sampled_from("a./\\\n"), max_size=12))
def test_no_accepted_key_leaves_its_folder(key: str) -> None:
    try:
        check_key(key)
    except BadInput:
        return
    assert not key.startswith("/")
    assert {"", ".", ".."}.isdisjoint(key.split("/"))
