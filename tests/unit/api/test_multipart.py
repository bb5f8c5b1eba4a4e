from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.multipart import FilePart, disposition_name
from gridloom.errors import BadInput

BODY = (
    b'--xx\r\nContent-Disposition: form-data; name="file"; filename="in.txt"\r\n'
    b"Content-Type: text/plain\r\n\r\nhello\r\nworld\r\n"
    b'--xx\r\nContent-Disposition: form-data; name="more"\r\n\r\nignored\r\n--xx--\r\n'
)


@given(st.lists(st.integers(0, len(BODY)), max_size=8))
def test_the_first_part_comes_out_however_the_body_is_cut(cuts: list[int]):
    edges = [0, *sorted(cuts), len(BODY)]
    part = FilePart("multipart/form-data; boundary=xx")
    pieces = part.unpack(BODY[a:b] for a, b in pairwise(edges))
    assert b"".join(pieces) == b"hello\r\nworld"
    assert part.name == "in.txt"


def test_a_body_without_the_boundary_is_refused():
    with pytest.raises(BadInput, match="multipart"):
        list(FilePart("multipart/form-data; boundary=yy").unpack([BODY]))


def test_a_body_cut_short_is_refused():
    with pytest.raises(BadInput, match="ends before"):
        list(FilePart("multipart/form-data; boundary=xx").unpack([BODY[:-60]]))


def test_a_content_type_without_boundary_is_refused():
    with pytest.raises(BadInput, match="boundary"):
        FilePart("multipart/form-data")


@pytest.mark.parametrize(
    ("header", "name"),
    [
        ("attachment", ""),
        ('attachment; filename="C:\\\\data\\\\in.csv"', "C:\\data\\in.csv"),
        ("attachment; filename*=UTF-8''%C3%A4.txt", "ä.txt"),
        ('form-data; name="f"; filename="a b.txt"', "a b.txt"),
        ("", ""),
    ],
)
def test_a_disposition_header_gives_its_file_name(header: str, name: str):
    assert disposition_name(header) == name
