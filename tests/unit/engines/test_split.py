"""The splitter."""

import io
import json
import tarfile
import zipfile
import zlib
from itertools import pairwise

import jsonschema_rs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engines.catalog import package_files

texts = st.lists(st.sampled_from([b"\n", b"a", b"bc", b"\r\n", b"\xff\0"]), max_size=60).map(b"".join)
BAD_PARAMS = [
    ({}, "exactly one"),
    ({"lines": 1, "size": 2}, "exactly one"),
    ({"lines": 0}, "lines"),
    ({"lines": "many"}, "lines"),
    ({"lines": True}, "lines"),
    ({"lines": "3 KiB"}, "lines"),
    ({"size": "3 KB"}, "size"),
    ({"size": "0 KiB"}, "size"),
    ({"size": 10, "on": "word"}, "on"),
    ({"lines": 1, "header_lines": -1}, "header_lines"),
    ({"files": 1, "unpack": "yes"}, "unpack"),
    ({"rows": 5}, "rows"),
]


@pytest.fixture(scope="module")
def cut(load_part, tmp_path_factory):
    """Cut one text in process, with blocks of 4 bytes so that small texts cross their borders."""
    cuts = load_part("split", "cuts")
    cuts.BLOCK = 4
    root = tmp_path_factory.mktemp("cuts")
    source, chunks = root / "source", root / "chunks"
    chunks.mkdir()

    def run(text, function, *args, **keywords):
        source.write_bytes(text)
        count = getattr(cuts, function)([source], chunks, *args, **keywords)
        written = [(chunks / f"data_{index}.bin").read_bytes() for index in range(count)]
        assert len(list(chunks.iterdir())) == count
        for path in chunks.iterdir():
            path.unlink()
        return written

    return run


@given(text=texts, lines=st.integers(1, 9))
def test_chunks_of_lines_join_to_the_source_and_are_all_full_but_the_last(cut, text, lines):
    chunks = cut(text, "split_lines", lines, 0)
    assert b"".join(chunks) == text
    assert all(chunk.count(b"\n") == lines and chunk.endswith(b"\n") for chunk in chunks[:-1])
    assert chunks == [b""] if not text else len(chunks[-1].splitlines()) > 0
    assert chunks[-1].count(b"\n") <= lines


@given(text=texts, size=st.integers(1, 20))
def test_chunks_of_whole_lines_join_to_the_source_and_exceed_the_size_only_by_one_long_line(cut, text, size):
    chunks = cut(text, "split_size", size, 0, whole_lines=True)
    assert b"".join(chunks) == text
    assert all(chunk.endswith(b"\n") for chunk in chunks[:-1])
    assert all(len(chunk) <= size or b"\n" not in chunk[:-1] for chunk in chunks)
    assert all(len(one + two[: two.find(b"\n") + 1 or None]) > size for one, two in pairwise(chunks))


@given(text=texts, size=st.integers(1, 20))
def test_chunks_of_bytes_join_to_the_source_and_have_the_size(cut, text, size):
    chunks = cut(text, "split_size", size, 0, whole_lines=False)
    assert b"".join(chunks) == text
    assert all(len(chunk) == size for chunk in chunks[:-1])


@given(text=texts, lines=st.integers(1, 9), header_lines=st.integers(0, 3))
def test_every_chunk_repeats_the_header(cut, text, lines, header_lines):
    header = b"".join(line + b"\n" for line in text.split(b"\n")[:header_lines])[: len(text)]
    chunks = cut(text, "split_lines", lines, header_lines)
    assert all(chunk.startswith(header) for chunk in chunks)
    assert header + b"".join(chunk[len(header) :] for chunk in chunks) == text


def test_lines_are_cut_by_the_script(run_engine):
    outcome = run_engine("split", {"data.csv": b"h\n1\n2\n3\n"}, lines="2", header_lines=1)
    assert outcome.chunks() == [b"h\n1\n2\n", b"h\n3\n"]


def test_sizes_are_cut_at_line_ends_unless_told_otherwise(run_engine):
    source = {"text": b"aaa\nbb\n" * 300}
    assert run_engine("split", source, size="1 KiB").chunks() == [
        source["text"][:1022],
        source["text"][1022:2044],
        source["text"][2044:],
    ]
    assert [len(chunk) for chunk in run_engine("split", source, size=1024, on="byte").chunks()] == [
        1024,
        1024,
        52,
    ]


def test_an_empty_source_is_one_empty_chunk(run_engine):
    assert run_engine("split", {"empty": b""}, size=10).chunks() == [b""]


def test_several_sources_are_cut_one_after_the_other(run_engine):
    assert run_engine("split", {"b": b"3\n", "a": b"1\n2\n"}, lines=1).chunks() == [b"1\n", b"2\n", b"3\n"]


MEMBERS = {"one.txt": b"1", "sub/two.txt": b"22" * 999, "three.txt": b""}


def archived(ending):
    """Pack MEMBERS with a folder and, in a tar, a link among them."""
    buffer = io.BytesIO()
    if ending == "zip":
        with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.mkdir("sub")
            for name, data in MEMBERS.items():
                archive.writestr(name, data)
        return buffer.getvalue()
    with tarfile.open(fileobj=buffer, mode={"tar": "w", "tar.gz": "w:gz"}[ending]) as archive:
        folder, link = tarfile.TarInfo("sub"), tarfile.TarInfo("link")
        folder.type, link.type, link.linkname = tarfile.DIRTYPE, tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(folder)
        archive.addfile(link)
        for name, data in MEMBERS.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return buffer.getvalue()


@pytest.mark.parametrize("ending", ["zip", "tar", "tar.gz"])
def test_each_member_of_an_archive_is_a_chunk(run_engine, ending):
    assert run_engine("split", {f"data.{ending}": archived(ending)}, files=1).chunks() == list(
        MEMBERS.values()
    )


def test_several_files_in_a_chunk_are_a_tar(run_engine):
    found = []
    for chunk in run_engine("split", {"download": archived("zip")}, files=2, unpack=True).chunks():
        with tarfile.open(fileobj=io.BytesIO(chunk)) as archive:
            found.append({member.name: archive.extractfile(member).read() for member in archive})
    assert found == [dict(list(MEMBERS.items())[:2]), dict(list(MEMBERS.items())[2:])]


def test_an_archive_is_one_file_when_it_is_not_to_be_unpacked(run_engine):
    packed = archived("tar")
    assert run_engine("split", {"data.tar": packed}, files=1, unpack=False).chunks() == [packed]
    assert run_engine("split", {"data.dat": packed}, files=1).chunks() == [packed]


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("data.zip", b"no zip"),
        ("data.tar", b"no tar" * 200),
        ("data.tar.gz", archived("tar.gz")[:-20]),
        (
            "data.zip",
            archived("zip").replace(zlib.compress(b"22" * 999)[2:-4], zlib.compress(b"23" * 999)[2:-4]),
        ),
        ("data.tar", archived("tar")[:700]),
        ("none.tar", bytes(10_240)),
    ],
    ids=["no-zip", "no-tar", "cut-gz", "spoilt-zip", "cut-tar", "empty-tar"],
)
def test_a_broken_or_empty_archive_is_an_error_of_one_line(run_engine, name, data):
    outcome = run_engine("split", {name: data}, files=1)
    assert outcome.code == 1
    assert outcome.stderr.startswith("split: ValueError: the ")
    assert outcome.stderr.count("\n") == 1


@pytest.mark.parametrize(("params", "named"), BAD_PARAMS)
def test_bad_parameters_are_named_by_the_script(run_engine, params, named):
    outcome = run_engine("split", {"data": b"x"}, **params)
    assert outcome.code == 1
    assert named in outcome.stderr
    assert outcome.stderr.count("\n") == 1


def test_the_schema_agrees_with_the_script():
    schema = jsonschema_rs.validator_for(json.loads(package_files("split")["schema.json"]))
    good = [
        {"lines": 3},
        {"size": "512 KiB", "on": "byte"},
        {"files": "2", "unpack": False},
        {"lines": 1, "header_lines": 0},
    ]
    assert all(map(schema.is_valid, good))
    assert not any(schema.is_valid(params) for params, _ in BAD_PARAMS)


def test_a_missing_source_or_variable_is_an_error_of_one_line(run_engine):
    assert "holds no file" in run_engine("split", {}, lines=1).stderr
