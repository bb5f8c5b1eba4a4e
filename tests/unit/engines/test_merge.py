"""The merging assembler."""

import csv
import io
import json

import jsonschema_rs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engines.catalog import package_files

BAD_PARAMS = [
    ({"mode": "xml"}, "mode"),
    ({"output": "../out"}, "output"),
    ({"output": ""}, "output"),
    ({"output": ".."}, "output"),
    ({"sort_by": 3}, "sort_by"),
    ({"descending": "yes"}, "descending"),
    ({"top": 0}, "top"),
    ({"top": True}, "top"),
    ({"top": 1.5}, "top"),
    ({"order": "a"}, "order"),
]


def only(outcome, name):
    """The bytes of the one file that was written, which must have this name."""
    assert outcome.stderr == ""
    files = outcome.files()
    assert list(files) == [name]
    return files[name]


def test_text_is_joined_byte_for_byte_in_the_order_of_chunks(run_engine):
    results = {"out_10.txt": b"3", "out_2.txt": b"2\r\n", "out.txt": b"0\n\xff", "out_1.txt": b"1"}
    assert only(run_engine("merge", results), "merged.txt") == b"0\n\xff12\r\n3"


def test_a_separator_stands_between_texts(run_engine):
    assert only(run_engine("merge", {"a": b"1", "b": b"2"}, separator="\n--\n"), "merged") == b"1\n--\n2"


def test_only_results_that_match_the_pattern_are_merged(run_engine):
    results = {"a.txt": b"1", "log.txt": b"x", "a_1.txt": b"2", "folder/a_2.txt": b"left out"}
    assert only(run_engine("merge", results, include="a*", output="all.md"), "all.md") == b"12"


def test_lines_of_text_are_sorted(run_engine):
    results = {"a.txt": b"pear\nfig", "a_1.txt": b"apple\n\n"}
    outcome = run_engine("merge", results, sort_by="line")
    assert only(outcome, "merged.txt") == b"\napple\nfig\npear\n"


def test_json_lines_keep_their_bytes_and_get_their_line_ends(run_engine):
    results = {"a.jsonl": b'{"b": 1}', "a_1.jsonl": b"", "a_2.jsonl": b'{"b":2}\n'}
    assert only(run_engine("merge", results), "merged.jsonl") == b'{"b": 1}\n{"b":2}\n'


def test_json_lines_are_sorted_by_a_key_with_numbers_first_and_the_missing_last(run_engine):
    rows = [
        {"k": {"n": "b"}},
        {"k": {"n": 10}},
        {},
        {"k": {"n": 9.5}},
        {"k": {"n": "a"}},
        {"k.n": 1},
        {"k": 7},
    ]
    results = {f"rows_{i}.ndjson": json.dumps(row).encode() for i, row in enumerate(rows)}
    for descending, order in ((False, [5, 3, 1, 4, 0, 2, 6]), (True, [0, 4, 1, 3, 5, 2, 6])):
        outcome = run_engine("merge", results, sort_by="k.n", descending=descending, output="rows.jsonl")
        found = [json.loads(line) for line in only(outcome, "rows.jsonl").splitlines()]
        assert found == [rows[place] for place in order]


def test_csv_has_its_header_once(run_engine):
    results = {
        "r.csv": b"\xef\xbb\xbfa,b\r\n1,2\r\n",
        "r_1.csv": b"",
        "r_2.csv": b'"a",b\n3,"x\ny"',
        "r_3.csv": b"a,b\n",
    }
    assert only(run_engine("merge", results), "merged.csv") == b'a,b\r\n1,2\r\n3,"x\ny"\n'


def test_csv_is_sorted_by_a_column(run_engine):
    results = {"r.csv": b'id,name\n10,"two\nlines"\n9,z\n', "r_1.csv": b"id,name\n-1.5,a\n,none\n\nx,b"}
    outcome = run_engine("merge", results, sort_by="id")
    assert only(outcome, "merged.csv") == b'id,name\n-1.5,a\n9,z\n10,"two\nlines"\nx,b\n,none\n'


@pytest.mark.parametrize(
    ("results", "params", "named"),
    [
        ({"r.csv": b"a,b\n", "r_1.csv": b"a,c\n"}, {}, "r_1.csv: header a,c differs from a,b"),
        ({"r.csv": b"a,b\n1,2\n"}, {"sort_by": "c"}, "no column c"),
        ({"r.csv": b"a\n\xff\n"}, {"sort_by": "a"}, "r.csv"),
        ({"r.jsonl": b"1\n{]\n"}, {"sort_by": "a"}, "r.jsonl: line 2"),
        ({"r.jsonl": b'{"a": NaN}\n'}, {"sort_by": "a"}, "NaN"),
        ({"r.txt": b""}, {"sort_by": "a"}, "sort_by"),
        ({"r.json": b"[1]"}, {"mode": "counts"}, "r.json: must hold one JSON object"),
        ({"r.json": b'{"a": {"b": "x"}}'}, {"mode": "counts"}, 'a.b must be a number or an object, got "x"'),
        ({"r.json": b'{"a": 1}', "r_1.json": b'{"a": {}}'}, {"mode": "counts"}, "r_1.json: a is an object"),
        ({"r.json": b"{}"}, {"mode": "counts", "output": "sums.json"}, "output"),
        ({"r.json": b"[" * 100_000}, {"mode": "counts"}, "RecursionError"),
    ],
)
def test_results_that_can_not_be_merged_are_named(run_engine, results, params, named):
    outcome = run_engine("merge", results, **params)
    assert outcome.code == 1
    assert named in outcome.stderr
    assert outcome.stderr.count("\n") == 1


@pytest.mark.parametrize(("params", "named"), BAD_PARAMS)
def test_bad_parameters_are_named_by_the_script(run_engine, params, named):
    outcome = run_engine("merge", {"a": b"1"}, **params)
    assert (outcome.code, outcome.files()) == (1, {})
    assert named in outcome.stderr
    assert outcome.stderr.count("\n") == 1


def test_the_schema_agrees_with_the_script():
    schema = jsonschema_rs.validator_for(json.loads(package_files("merge")["schema.json"]))
    good = [
        {},
        {"mode": "csv", "sort_by": "a", "descending": True},
        {"mode": "counts", "top": "5", "output": "r.txt"},
    ]
    assert all(map(schema.is_valid, good))
    assert not any(schema.is_valid(params) for params, _ in BAD_PARAMS)


def test_no_results_are_no_output(run_engine):
    outcome = run_engine("merge", {})
    assert (outcome.code, outcome.files()) == (0, {})


def test_counts_are_added_up_into_a_report_and_sums(run_engine):
    results = {
        "counts.json": json.dumps(
            {"lines": 1000, "words": {"b": 2, "a": 2, "é": 900}, "by": {"x": {"y": 1}}}
        ).encode(),
        "counts_1.json": json.dumps(
            {"lines": 234, "words": {"a": 1, "c": 3}, "by": {"x": {"y": 0.5}}}
        ).encode(),
    }
    files = run_engine("merge", results, mode="counts", top=3).files()
    assert json.loads(files["report.json"]) == {
        "lines": 1234,
        "words": {"a": 3, "b": 2, "c": 3, "é": 900},
        "by": {"x": {"y": 1.5}},
    }
    assert files["report.txt"].decode().splitlines() == [
        "lines  1,234",
        "",
        "words: 4 different, 908 in all, the top 3",
        "  900  é",
        "    3  a",
        "    3  c",
        "",
        "by.x: 1 different, 1.5 in all",
        "  1.5  y",
    ]


pairs = st.lists(st.tuples(st.integers(-5, 5), st.binary(max_size=5)), max_size=80)


@given(pairs=pairs, descending=st.booleans(), memory_bytes=st.integers(1, 3000))
def test_sorting_on_disk_gives_what_sorting_in_memory_gives(
    load_part, tmp_path_factory, pairs, descending, memory_bytes
):
    sorting = load_part("merge", "sorting")
    sorting.MOST_RUNS = 3
    folder = tmp_path_factory.getbasetemp()
    rows = sorting.sort(iter(pairs), folder, descending=descending, memory_bytes=memory_bytes)
    expected = sorted(pairs, key=lambda pair: pair[0], reverse=descending)
    assert list(rows) == [row for _, row in expected]


cells = st.text(st.characters(codec="utf-8", exclude_characters="\r"), max_size=6)


@given(table=st.lists(st.tuples(cells, cells), max_size=20), places=st.lists(st.integers(0, 2), max_size=20))
def test_csv_rows_survive_the_merge_in_the_order_of_chunks(load_part, tmp_path_factory, table, places):
    parts = [[], [], []]
    for row, place in zip(table, places, strict=False):
        parts[place].append(row)
    folder = tmp_path_factory.mktemp("csv")
    for index, part in enumerate(parts):
        with (folder / f"{index}.csv").open("w", newline="", encoding="utf-8") as stream:
            csv.writer(stream).writerows([("left", "right"), *part])
    joined = io.BytesIO()
    load_part("merge", "rows").join_csv(sorted(folder.iterdir()), joined, "")
    found = [tuple(row) for row in csv.reader(io.StringIO(joined.getvalue().decode(), newline=""))]
    assert found == [("left", "right"), *(row for part in parts for row in part)]
