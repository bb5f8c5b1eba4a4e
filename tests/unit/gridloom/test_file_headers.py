"""Downloads say what their file is called and what it holds."""

import pytest

from gridloom.file_headers import attachment, media_type


def test_a_name_goes_into_a_header_with_nothing_that_ends_it():
    assert attachment('ü"\r\n%41.txt') == (
        "attachment; filename=\"_____41.txt\"; filename*=UTF-8''%C3%BC%22%0D%0A%2541.txt"
    )


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("a/b.png", "image/png"),
        ("t.csv.gz", "application/gzip"),
        ("t.csv.xz", "application/octet-stream"),
        ("noname", "application/octet-stream"),
    ],
)
def test_a_files_name_tells_its_type(path, kind):
    assert media_type(path) == kind
