import tarfile
from pathlib import Path

from worker.runners.docker.root_tar import RootTar
from worker.runners.interpreters import base_python


def test_a_tar_has_every_name_once_and_folders_before_what_lies_in_them(tmp_path):
    source = tmp_path / "source"
    source.write_text("x")
    tar = RootTar(tmp_path / "root.tar")
    for _ in range(2):
        tar.file("a/b/c", source)
        tar.link("a/d", "b")
    tar.close()
    with tarfile.open(tmp_path / "root.tar") as made:
        names = made.getnames()
    assert len(names) == len(set(names))
    assert names.index("a") < names.index("a/b") < names.index("a/b/c")


def test_a_binary_brings_the_shared_objects_that_it_loads(tmp_path):
    tar = RootTar(tmp_path / "root.tar")
    tar.file("bin/python", Path(base_python()), binary=True)
    tar.close()
    with tarfile.open(tmp_path / "root.tar") as made:
        assert any("libc.so" in name for name in made.getnames())
