"""Tests of `gridloom source test` and `gridloom destination test`."""

import json

import pytest

PATH = "/v1/customer/datasource/test"
FILE = {"id": "in/a.txt", "name": "a.txt", "path": "in/a.txt", "size": "5"}
EMPTY = {"name": "sub", "path": "in/sub/", "directories": [], "files": []}
FOUND = {
    "filename": "in",
    "path": "in/",
    "size": "5",
    "properties": {"contentType": "text/plain"},
    "files": {"name": "", "path": "in/", "directories": [EMPTY], "files": [FILE]},
    "permissions": {"list": True, "read": True, "write": None},
    "count": 1,
    "totalSize": "5",
    "truncated": True,
    "after": "in/a.txt",
    "problems": [],
}


@pytest.fixture(autouse=True)
def found(fabric):
    fabric.seen_end = FOUND


def test_a_source_is_shown_with_what_may_be_done_there(fabric, gridloom):
    code, out, err = gridloom("source", "test", "s3://books/in/", "--secret", "lake")
    assert (code, err) == (0, "")
    lines = [line.split(maxsplit=1) for line in out.splitlines()]
    assert dict(lines) == {
        "list": "yes",
        "read": "yes",
        "write": "not tried",
        "files": "1, 5 bytes (there are more)",
        "contentType": "text/plain",
    }
    [body] = fabric.bodies("POST", PATH)
    assert body["dataSource"]["params"]["secret_id"] == "lake"
    assert (body["listFiles"], body["limit"]) == (False, 1000)


def test_files_are_listed_page_by_page(fabric, gridloom):
    _, out, _ = gridloom("source", "test", "s3://books/in/", "--path", "/", "--after", "x", "--limit", 1)
    assert out.split("\n\n")[1].split() == [
        *("file", "bytes", "in/sub/", "in/a.txt", "5"),
        *("(go", "on", "with", "--after", "in/a.txt)"),
    ]
    [body] = fabric.bodies("POST", PATH)
    assert [body[name] for name in ("listFiles", "path", "after", "limit")] == [True, "/", "x", 1]
    assert json.loads(gridloom("source", "test", "s3://books/in/", "--json")[1]) == FOUND


@pytest.mark.parametrize(
    ("command", "missing", "expected"),
    [
        *(("source", "read", 1), ("source", "list", 0)),
        *(("destination", "write", 1), ("destination", "list", 1), ("destination", "read", 0)),
    ],
)
def test_what_a_job_could_not_do_is_an_error(fabric, gridloom, command, missing, expected):
    may = {"list": True, "read": True, "write": True, missing: False}
    fabric.seen_end = FOUND | {"permissions": may, "problems": [f"the secret lacks {missing}"]}
    code, out, err = gridloom(command, "test", "gcp://books/in/")
    assert (code, err) == (expected, f"error: the secret lacks {missing}\n")
    assert f"{missing}" in out
    member = "dataSource" if command == "source" else "dataDestination"
    assert fabric.bodies("POST", PATH)[0][member]["dataSourceDescriptor"] == "gcp"


def test_who_may_overwrite_need_not_list(fabric, gridloom):
    fabric.seen_end = FOUND | {"permissions": {"list": False, "read": True, "write": True}}
    params = '{"bucketName": "books", "overwrite": true}'
    assert gridloom("destination", "test", f'{{"dataSourceDescriptor": "s3", "params": {params}}}')[0] == 0


def test_only_sources_are_said_to_be_urls(gridloom):
    assert "http(s)" in gridloom("source", "test", "--help")[1]
    assert "http(s)" not in gridloom("destination", "test", "--help")[1]
    assert "http(s)" not in gridloom("destination", "test", "results")[2]


def test_a_file_of_this_machine_is_no_place(gridloom):
    code, _, err = gridloom("source", "test", "notes.txt")
    assert code == 1
    assert "notes.txt: write {s3,gcp,storj}://" in err
