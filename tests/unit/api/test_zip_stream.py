import io
import zipfile
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.zip_stream import Member, zip_blocks
from gridloom.errors import StoreUnavailable

NAMES = st.text(st.characters(codec="utf-8", exclude_characters="\0\\/"), min_size=1, max_size=20)


def member(name: str, data: bytes, size: int | None = None) -> Member:
    return Member(
        name=name, size=len(data) if size is None else size, read=lambda: iter((data[:3], data[3:]))
    )


@given(st.dictionaries(NAMES, st.binary(max_size=50)))
def test_the_archive_holds_every_member_as_it_was(files: dict[str, bytes]):
    packed = b"".join(zip_blocks(member(name, data) for name, data in files.items()))
    with zipfile.ZipFile(io.BytesIO(packed)) as archive:
        assert archive.testzip() is None
        assert {info.filename: archive.read(info) for info in archive.infolist()} == files


def test_names_are_in_unicode_and_folders_stay():
    packed = b"".join(zip_blocks([member("ä/ö.txt", b"x")]))
    assert zipfile.ZipFile(io.BytesIO(packed)).namelist() == ["ä/ö.txt"]


def test_many_small_members_come_in_few_blocks():
    blocks = list(zip_blocks(member(f"{i}.txt", b"0123456789") for i in range(10_000)))
    assert len(blocks) < 20
    assert len(zipfile.ZipFile(io.BytesIO(b"".join(blocks))).namelist()) == 10_000


def test_nothing_is_read_before_its_turn():
    def members() -> Iterator[Member]:
        yield member("a", b"x" * 300_000)
        raise AssertionError("read too far")

    assert b"x" in next(iter(zip_blocks(members())))


def test_a_member_of_another_size_than_announced_ends_the_archive():
    with pytest.raises(StoreUnavailable, match="has 4 bytes in the store, not 5"):
        list(zip_blocks([member("a", b"1234", size=5)]))
