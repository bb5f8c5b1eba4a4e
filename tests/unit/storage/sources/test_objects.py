"""What a source's names mean in a bucket that lies in memory; tests/unit/storage/sources/test_bucket.py has a real one."""

from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any

import pytest

from gridloom.errors import BucketDenied, LeaseLost, ObjectMissing
from storage.buckets.bucket import ObjectInfo
from storage.sources.objects import find_objects


class Keys:
    """A bucket of these keys, each of one byte unless it ends in a slash; counts what was listed."""

    def __init__(self, *keys: str, denied: tuple[str, ...] = ()) -> None:
        self.keys, self.denied, self.listed, self.looked = sorted(keys), denied, 0, 0

    def look(self, key: str) -> ObjectInfo:
        self.looked += 1
        if key in self.denied:
            raise BucketDenied(f"no {key} for you", permission="read")
        if key not in self.keys:
            raise ObjectMissing(key)
        return info(key)

    def list(
        self, prefix: str = "", *, after: str = "", check: Callable[[], None] = lambda: None
    ) -> Iterator[ObjectInfo]:
        check()
        for key in self.keys:
            if key.startswith(prefix) and key > after:
                self.listed += 1
                yield info(key)


def info(key: str) -> ObjectInfo:
    return ObjectInfo(key=key, size=0 if key.endswith("/") else 1, etag=f"e-{key}")


def found(bucket: Any, *names: str) -> dict[str, str]:
    return {it.info.key: it.path for it in find_objects(bucket, names, at_a_time=4)}


TREE = ("a", "a/", "a/1.txt", "a/b/", "a/b/2.txt", "c/3.txt", "c/4.bin", "c/d/5.txt", "e[1]", "e1")


@pytest.mark.parametrize(
    ("name", "paths"),
    [
        ("a", {"a": "a"}),
        ("/c/3.txt", {"c/3.txt": "3.txt"}),
        ("a/", {"a/1.txt": "1.txt", "a/b/2.txt": "b/2.txt"}),
        ("c", {"c/3.txt": "3.txt", "c/4.bin": "4.bin", "c/d/5.txt": "d/5.txt"}),
        ("c/*.txt", {"c/3.txt": "3.txt"}),
        ("c/**/*.txt", {"c/3.txt": "3.txt", "c/d/5.txt": "d/5.txt"}),
        ("c/[34].*", {"c/3.txt": "3.txt", "c/4.bin": "4.bin"}),
        ("c/?/", {"c/d/5.txt": "d/5.txt"}),
        ("e[1]", {"e[1]": "e[1]"}),
        ("*", {"a": "a", "e[1]": "e[1]", "e1": "e1"}),
    ],
)
def test_a_name_means_an_object_or_a_folder_or_a_pattern(name: str, paths: dict[str, str]) -> None:
    assert found(Keys(*TREE), name) == paths


def test_a_list_unites_its_names_and_has_every_object_once_in_their_order() -> None:
    assert list(found(Keys(*TREE), "c/d/", "a", "c", "/a", "**")) == [
        "c/d/5.txt",
        "a",
        "c/3.txt",
        "c/4.bin",
        "a/1.txt",
        "a/b/2.txt",
        "e1",
        "e[1]",
    ]


def test_what_an_earlier_job_delivered_is_read_without_its_manifest() -> None:
    bucket = Keys("out/.gridloom/job.json", "out/a.gridloom/b", "out/x/.gridloom/job.json")
    assert found(bucket, "out") == found(bucket, "out/**") == {"out/a.gridloom/b": "a.gridloom/b"}
    assert found(bucket, "out/.gridloom/") == {"out/.gridloom/job.json": "job.json"}


@pytest.mark.parametrize("name", ["nothing", "a/b/c/", "c/*.zip", "a/b/2.txt/"])
def test_a_name_that_means_nothing_is_named(name: str) -> None:
    with pytest.raises(ObjectMissing, match="holds no object") as caught:
        found(Keys(*TREE), "a", name)
    assert name in caught.value.message


def test_a_folder_of_which_only_the_content_may_be_read_is_found() -> None:
    assert found(Keys(*TREE, denied=("c",)), "c/d") == {"c/d/5.txt": "5.txt"}
    assert len(found(Keys(*TREE, denied=("c",)), "c")) == 3
    with pytest.raises(BucketDenied, match="no x for you"):
        found(Keys(*TREE, denied=("x",)), "x")


def test_a_listing_is_read_no_further_than_it_is_used_and_may_be_stopped() -> None:
    bucket: Any = Keys(*(f"many/{number:06}" for number in range(100_000)))
    first = islice(find_objects(bucket, ["many/"], at_a_time=16), 3)
    assert [it.path for it in first] == ["000000", "000001", "000002"]
    assert (bucket.listed, bucket.looked) == (3, 0)

    def check() -> None:
        if bucket.listed == 1000:
            raise LeaseLost("gone")

    with pytest.raises(LeaseLost):
        list(find_objects(bucket, ["many/*x"], at_a_time=16, check=check))


def test_a_list_of_names_may_be_stopped_between_them() -> None:
    bucket: Any = Keys("a", "b", "c")
    seen: list[str] = []

    def check() -> None:
        if len(seen) == 2:
            raise LeaseLost("gone")

    objects = find_objects(bucket, ["a", "b", "c"], at_a_time=1, check=check)
    with pytest.raises(LeaseLost):
        all(seen.append(it.path) is None for it in objects)
    assert seen == ["a", "b"]
