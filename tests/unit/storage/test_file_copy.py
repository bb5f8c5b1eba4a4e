"""Copying between open files."""

import errno
import os
from pathlib import Path

import pytest

from storage import file_copy
from storage.file_copy import copy_bytes


def copied(tmp_path: Path, content: bytes, offset: int, length: int) -> bytes:
    (tmp_path / "from").write_bytes(content)
    with (tmp_path / "from").open("rb") as source, (tmp_path / "to").open("wb") as target:
        count = copy_bytes(source.fileno(), target.fileno(), offset, length)
    result = (tmp_path / "to").read_bytes()
    assert len(result) == count
    return result


@pytest.mark.parametrize("step", [1, 7, 64])
def test_a_span_is_copied_in_steps(step: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(file_copy, "_STEP_BYTES", step)
    assert copied(tmp_path, b"0123456789" * 5, 3, 20) == b"34567890123456789012"


def test_the_copy_ends_where_the_source_ends(tmp_path: Path) -> None:
    assert copied(tmp_path, b"0123", 2, 100) == b"23"


def test_between_file_systems_another_call_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: object, **more: object) -> int:
        raise OSError(errno.EXDEV, os.strerror(errno.EXDEV))

    monkeypatch.setattr(os, "copy_file_range", refuse)
    assert copied(tmp_path, b"0123456789", 4, 5) == b"45678"


def test_another_failure_is_raised(tmp_path: Path) -> None:
    with (tmp_path / "to").open("wb") as target, pytest.raises(OSError, match="Bad file"):
        copy_bytes(target.fileno(), target.fileno(), 0, 10)
