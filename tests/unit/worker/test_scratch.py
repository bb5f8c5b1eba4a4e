import os
from types import SimpleNamespace

import pytest

from gridloom.errors import SetupFailed
from worker.scratch import Scratch


def test_a_second_worker_on_the_same_folder_is_refused(tmp_path):
    first = Scratch(tmp_path / "s")
    with pytest.raises(SetupFailed, match="another worker uses the scratch folder"):
        Scratch(tmp_path / "s")
    first.close()
    Scratch(tmp_path / "s").close()


def test_what_an_earlier_life_left_is_swept_but_the_caches_stay(tmp_path):
    Scratch(tmp_path).close()
    for name in ("runs/x/data.bin", "components/1/app", "caches/users/o/model"):
        (tmp_path / name).parent.mkdir(parents=True)
        (tmp_path / name).write_text("old")
    scratch = Scratch(tmp_path)
    assert list(scratch.runs.iterdir()) == []
    assert list(scratch.components.iterdir()) == []
    assert (tmp_path / "caches/users/o/model").read_text() == "old"
    scratch.close()


def test_a_folder_that_can_not_be_made_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(SetupFailed, match="file/s"):
        Scratch(tmp_path / "file/s")


@pytest.mark.parametrize(
    ("free_mib", "total_mib", "has_room", "is_full"),
    [
        (600, 100_000, True, False),
        (500, 100_000, False, False),
        (60, 1000, True, False),
        (40, 1000, False, False),
        (3, 50, True, True),
        (0, 100_000, False, True),
    ],
)
def test_room_is_a_twentieth_of_the_disk_or_half_a_gib(
    tmp_path, monkeypatch, free_mib, total_mib, has_room, is_full
):
    scratch = Scratch(tmp_path)
    facts = SimpleNamespace(f_bavail=free_mib, f_blocks=total_mib, f_frsize=1024 * 1024)
    monkeypatch.setattr(os, "statvfs", lambda path: facts)
    assert (scratch.has_room(), scratch.is_full()) == (has_room, is_full)
    scratch.close()
