"""The demo's app, template and input, run through the engines that the demo uses."""

import json
import re
import sysconfig
from collections import Counter

import pytest

from engines import demo
from gridloom.errors import SetupFailed


@pytest.fixture
def library(tmp_path, monkeypatch):
    """A small standard library."""
    root = tmp_path / "library"
    (root / "json").mkdir(parents=True)
    (root / "site-packages").mkdir()
    (root / "abc.py").write_bytes(b"class Odd:\n    async def one(self): pass\n\n# na\xefve \xff")
    (root / "json" / "tool.py").write_bytes(b"def main():\n    define = main\n" * 40_000)
    (root / "site-packages" / "other.py").write_bytes(b"never")
    (root / "notes.txt").write_bytes(b"never")
    monkeypatch.setattr(sysconfig, "get_path", {"stdlib": str(root)}.__getitem__)
    return root


def test_the_sources_are_joined_with_a_line_that_names_each(library, tmp_path):
    target = tmp_path / "input.txt"
    assert demo.collect_stdlib(target) == target.stat().st_size
    assert target.read_bytes() == b"".join(
        b"# file: " + name + b"\n" + (library / name.decode()).read_bytes() + b"\n"
        for name in (b"abc.py", b"json/tool.py")
    )


def test_a_python_without_sources_is_told_so(library, tmp_path):
    (library / "abc.py").unlink()
    (library / "json" / "tool.py").unlink()
    with pytest.raises(SetupFailed, match="holds none"):
        demo.collect_stdlib(tmp_path / "input.txt")


def test_this_python_has_sources_worth_a_demo(tmp_path):
    assert demo.collect_stdlib(tmp_path / "input.txt") > 5_000_000


def test_the_app_folder_holds_app_and_template(tmp_path):
    demo.write_demo(tmp_path / "word-count")
    manifest = json.loads((tmp_path / "word-count" / "manifest.json").read_text())
    template = json.loads((tmp_path / "word-count" / "template.json").read_text())
    assert (manifest["name"], template["app"], template["id"]) == (
        demo.DEMO_APP,
        demo.DEMO_APP,
        demo.DEMO_TEMPLATE,
    )
    assert (tmp_path / "word-count" / "app" / "main.py").is_file()


def test_splitting_counting_and_merging_counts_every_word_once(library, tmp_path, run_engine):
    target = tmp_path / "input.txt"
    demo.collect_stdlib(target)
    demo.write_demo(tmp_path / "word-count")
    params = json.loads((tmp_path / "word-count" / "template.json").read_text())["params"]
    chunks = run_engine("split", {"input.txt": target.read_bytes()}, **params["partitioner"]).chunks()
    results = {}
    for index, chunk in enumerate(chunks):
        [counts] = run_engine("word_count", {"data.bin": chunk}, **params["app"]).files().values()
        results[f"counts_{index}.json" if index else "counts.json"] = counts
    files = run_engine("merge", results, **params["assembler"]).files()
    text = target.read_text(encoding="utf-8", errors="replace")
    assert len(chunks) == -(-target.stat().st_size // (512 << 10))
    assert json.loads(files["report.json"]) == {
        "files": 2,
        "lines": text.count("\n"),
        "definitions": {"Odd": 1, "one": 1, "main": 40_000},
        "words": dict(Counter(re.findall(r"[^\W\d]\w*", text))),
    }
    assert b"  40,000  main\n" in files["report.txt"]
