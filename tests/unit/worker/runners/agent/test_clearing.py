"""Unit tests of emptying what tasks would share; what happens in a sandbox is tested there."""

import os
from pathlib import Path

from worker.collect import remove_tree
from worker.runners.agent import clearing


def test_a_machines_own_places_are_never_emptied(tmp_path, monkeypatch):
    (tmp_path / "kept").write_text("x")
    monkeypatch.setattr(clearing, "PLACES", (os.fsencode(tmp_path),))
    clearing.clear()
    clearing.kill_others()
    assert (tmp_path / "kept").exists()


def test_a_folder_is_emptied_but_for_what_is_mounted_there(tmp_path):
    for name in ("gone/a/b", "way/to/mount/inner", "way/beside", "locked/in", "way2"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "way/to/mount/file").write_text("kept")
    (tmp_path / "way/to/file").write_text("gone")
    (tmp_path / "link").symlink_to("way/to/mount")
    (tmp_path / "to_file").symlink_to("way/to/mount/file")
    (tmp_path / ".0").write_text("in the way")
    (tmp_path / "locked/in").chmod(0)
    (tmp_path / "locked").chmod(0)
    clearing.empty(os.fsencode(tmp_path), [os.fsencode(tmp_path / "way/to/mount")])
    left = sorted(str(it.relative_to(tmp_path)) for it in tmp_path.rglob("*"))
    assert left == ["way", "way/to", "way/to/mount", "way/to/mount/file", "way/to/mount/inner"]


def test_no_depth_is_too_deep(tmp_path):
    here = Path.cwd()
    os.chdir(tmp_path)
    try:
        for _ in range(1500):
            Path("folder" * 10).mkdir()
            os.chdir("folder" * 10)
    finally:
        os.chdir(here)
    clearing.empty(os.fsencode(tmp_path), [])
    assert [*tmp_path.iterdir()] == []
    remove_tree(tmp_path)
