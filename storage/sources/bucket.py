"""Objects of a bucket, fetched as they were when they were listed."""

import hashlib
import json
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from gridloom.buckets import BucketPlace
from gridloom.errors import (
    AddressRefused,
    AttemptFailed,
    BadInput,
    BucketFailed,
    BucketUnavailable,
    ObjectChanged,
    ObjectMissing,
    RunnerFailed,
)
from gridloom.sources import SourceSpec
from gridloom.states import EndReason
from storage.bucket_params import source_names
from storage.buckets.bucket import Bucket, ObjectInfo, Progress
from storage.sources.context import SourceContext
from storage.sources.local_paths import make_file, printable
from storage.sources.objects import SourceObject, find_objects
from storage.sources.transfers import Transfers, too_large


def fetch(spec: SourceSpec, into: Path, context: SourceContext) -> None:
    """Fetch the objects that the params name, each to its path below `into`.

    Raises:
        AttemptFailed: with DATA_SOURCE or SOURCE_UNAVAILABLE.
        OSError: when a file can't be written.
        Exception: whatever the context's `on_progress` raises.
    """
    place = place_of(spec)
    with (
        failures_named(),
        closing(Bucket(place, context.allow, transfers=context.transfers)) as bucket,
    ):
        fetch_objects(bucket, names_of(spec), into, context)


def fetch_objects(bucket: Bucket, names: tuple[str, ...], into: Path, context: SourceContext) -> None:
    """Fetch what names mean in an open bucket; raises as `fetch`, and as the bucket."""
    transfers = Transfers(context)
    found = find_objects(bucket, names, at_a_time=context.transfers, check=lambda: transfers.moved(0))
    # Made in the order of the keys, for who comes first gets the plainer name.
    files = ((it.info, make_file(into, it.path, it.info.key)) for it in _bounded(found, context))

    def fetched(file: tuple[ObjectInfo, Path]) -> str:
        info, path = file
        fetch_object(bucket, info, path, transfers.moved)
        return f"{printable(info.key)}, {info.size} bytes, ETag {printable(info.etag)}"

    transfers.each(fetched, files)
    context.note(f"fetched {transfers.files} objects, {transfers.bytes} bytes")


def fetch_object(bucket: Bucket, info: ObjectInfo, path: Path, on_progress: Progress) -> None:
    """Write an object to a file, as it was when it was listed.

    Raises:
        AttemptFailed: with DATA_SOURCE when it is no longer the same.
        OSError: when the file can't be written.
        BucketUnavailable, BucketFailed: as the bucket.
    """
    with path.open("wb") as file:
        try:
            bucket.download(info.key, file.fileno(), info.size, etag=info.etag, on_progress=on_progress)
        except (ObjectChanged, ObjectMissing) as error:
            raise AttemptFailed(
                EndReason.DATA_SOURCE,
                f"the data source's object {printable(info.key)} was changed after it was listed: {error.message}",
            ) from error


def place_of(spec: SourceSpec) -> BucketPlace:
    """Return the bucket of a source; RunnerFailed when the control plane didn't tell it."""
    if spec.place is None:
        raise RunnerFailed(f"the worker was not told the bucket of the data source {spec.descriptor}")
    return spec.place


def names_of(spec: SourceSpec) -> tuple[str, ...]:
    """Return the names in a source's params; AttemptFailed with DATA_SOURCE when they can't be right."""
    try:
        return source_names(spec.params)
    except BadInput as error:
        raise AttemptFailed(EndReason.DATA_SOURCE, error.message) from error


def reference_digest(place: BucketPlace, info: ObjectInfo) -> str:
    """Return what stands for the digest of an object that nobody has read: that of its bucket, key, size and ETag."""
    identity = json.dumps([place.identity, info.key, info.size, info.etag])
    return hashlib.sha256(identity.encode()).hexdigest()


@contextmanager
def failures_named() -> Iterator[None]:
    """Turn what a bucket raises into the end of an attempt: DATA_SOURCE, or SOURCE_UNAVAILABLE what may pass."""
    try:
        yield
    except BucketUnavailable as error:
        raise AttemptFailed(EndReason.SOURCE_UNAVAILABLE, f"the data source: {error.message}") from error
    except (BucketFailed, AddressRefused) as error:
        raise AttemptFailed(EndReason.DATA_SOURCE, f"the data source: {error.message}") from error


def _bounded(found: Iterable[SourceObject], context: SourceContext) -> Iterator[SourceObject]:
    total = 0
    for count, it in enumerate(found, 1):
        total += it.info.size
        if total > context.limit_bytes:
            raise too_large(context.limit_bytes)
        if count > context.limit_files:
            raise AttemptFailed(
                EndReason.DATA_SOURCE, f"the data source holds more than {context.limit_files} objects"
            )
        yield it
