import pytest

from worker.runners.docker.image_store import Image, disk_used_percent
from worker.runners.docker.references import Reference

ID, ONE, TWO = (f"sha256:{it * 64}" for it in "a12")


def image(*names):
    return Image(id=ID, env={}, size_mib=1, names=names)


class FakeClient:
    def __init__(self, root):
        self.root = root

    def info(self):
        return {"DockerRootDir": self.root}


@pytest.mark.parametrize(
    ("name", "is_private"),
    [
        (f"gridloom-private:{'a' * 64}", True),
        (f"localhost/gridloom-private:{'a' * 64}", True),
        ("registry.example/gridloom-private:x", False),
        ("someone/gridloom-private:x", False),
        ("<none>:<none>", False),
    ],
)
def test_only_our_own_name_marks_an_image_as_private(name, is_private):
    assert image("python:3", name).is_private is is_private


def test_its_digest_is_the_one_of_the_repository_that_was_asked():
    it = image("python:3", f"python@{TWO}", f"python@{ONE}", f"mirror.example/python@{TWO}")
    assert it.digest_as(Reference.parse("python:3")) == ONE
    assert it.digest_as(Reference.parse("mirror.example/python")) == TWO
    assert it.digest_as(Reference.parse("python").at(TWO)) == TWO
    assert it.digest_as(Reference.parse("other")) == ID
    assert it.repositories == {"docker.io/library/python", "mirror.example/python"}


def test_a_disk_out_of_sight_is_never_full(tmp_path):
    assert 0 < disk_used_percent(FakeClient(str(tmp_path))) < 100
    assert disk_used_percent(FakeClient("/no/such/folder")) == 0
