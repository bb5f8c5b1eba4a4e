"""The objects of a bucket that a source's names mean, found page by page."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial

from gridloom.destinations import MANIFESTS
from gridloom.errors import BucketDenied, ObjectMissing
from storage.buckets.bucket import Bucket, ObjectInfo
from storage.sources.local_paths import printable
from storage.sources.patterns import Pattern, is_pattern

_Looked = ObjectInfo | BucketDenied | None
_List = Callable[[str], Iterator[ObjectInfo]]  # takes a prefix


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceObject:
    """An object of a source, and the relative path that it would like to have."""

    info: ObjectInfo
    path: str


def find_objects(
    bucket: Bucket, names: Sequence[str], *, at_a_time: int, check: Callable[[], None] = lambda: None
) -> Iterator[SourceObject]:
    """Yield the objects that names mean, each once, in the names' order and below a name in that of the keys' bytes.

    A name is that of an object, or else of a folder (all objects below `name/`), or else a pattern; one leading slash
    is left out. Paths are relative to the folder, or to the last one before a pattern's first wildcard; an object that
    is named itself has its base name. Empty objects that only stand for a folder are left out, and so are the manifests of
    deliveries, which one job writes beside the files that the next one reads.
    `check` is called for every name, page and object listed, and may raise to stop.

    Raises:
        ObjectMissing: when a name means no object.
        BucketUnavailable, BucketFailed: as the bucket.
    """
    plain = list(dict.fromkeys(name.removeprefix("/") for name in names))
    seen: set[str] = set()
    contents = partial(_contents, bucket, check)
    with ThreadPoolExecutor(min(at_a_time, len(plain)), thread_name_prefix="look") as pool:
        try:
            for name, looked in zip(plain, pool.map(lambda it: _look(bucket, it), plain), strict=True):
                check()
                for found in _meant(contents, name, looked):
                    if found.info.key in seen:
                        continue
                    if len(plain) > 1:
                        seen.add(found.info.key)
                    yield found
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def _look(bucket: Bucket, name: str) -> _Looked:
    if name.endswith("/"):
        return None
    try:
        return bucket.look(name)
    except ObjectMissing:
        return None
    except BucketDenied as error:
        return error  # whoever may not look at this may yet list and read what is below it


def _meant(contents: _List, name: str, looked: _Looked) -> Iterator[SourceObject]:
    if isinstance(looked, ObjectInfo):
        yield SourceObject(info=looked, path=name.rpartition("/")[2])
        return
    is_empty = True
    for found in _below(contents, name):
        is_empty = False
        yield found
    if is_empty and looked is not None:
        raise looked
    if is_empty:
        raise ObjectMissing(
            f"the bucket holds no object {printable(name)}, and none below it or matching it as a pattern"
        )


def _below(contents: _List, name: str) -> Iterator[SourceObject]:
    folder = name if name.endswith("/") else f"{name}/"
    is_empty = True
    for info in contents(folder):
        is_empty = False
        yield SourceObject(info=info, path=info.key.removeprefix(folder))
    if is_empty and is_pattern(name):
        pattern = Pattern(f"{name}**" if name.endswith("/") else name)
        for info in contents(pattern.prefix):
            if pattern.matches(info.key):
                yield SourceObject(info=info, path=info.key.removeprefix(pattern.folder))


def _contents(bucket: Bucket, check: Callable[[], None], prefix: str) -> Iterator[ObjectInfo]:
    for info in bucket.list(prefix, check=check):
        check()
        is_manifest = f"/{MANIFESTS}/" in f"/{info.key.removeprefix(prefix)}"
        if (info.size or not info.key.endswith("/")) and not is_manifest:
            yield info
