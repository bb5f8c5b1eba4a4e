"""A look at a data source in a bucket: what it holds, and whether the keys may list and read it."""

from collections.abc import Sequence
from contextlib import closing
from itertools import islice

from gridloom.errors import BadInput, BucketDenied, ObjectMissing
from gridloom.net_guard import PrivateHosts
from storage.bucket_params import BucketParams
from storage.buckets.bucket import Bucket, ObjectInfo
from storage.probing import Files, Found, Look, Trials, facts_of, files_in, open_to_look
from storage.sources.objects import find_objects
from storage.sources.patterns import Pattern, is_pattern

_LINK_S = 3600
_LOOKS_AT_A_TIME = 8


def probe_objects(params: BucketParams, look: Look, allow: PrivateHosts) -> Found:
    """Look at what a source's names mean, for about 15 s at most.

    Raises:
        BadInput: when it can't be reached, is not there, or may be neither listed nor read.
    """
    with closing(open_to_look(params, allow)) as bucket:
        return _Probe(bucket, params, look).found()


class _Probe:
    def __init__(self, bucket: Bucket, params: BucketParams, look: Look) -> None:
        self._bucket, self._look = bucket, look
        self._names = [name.removeprefix("/") for name in params.names]
        self._trials = Trials(params, "dataSource")

    def found(self) -> Found:
        name = self._names[0]
        any_of_it = self._bucket.list(Pattern(name).prefix, check=self._trials.check)
        first = self._trials.may("list", lambda: next(any_of_it, None))
        if self._look.path or self._look.after:
            files = files_in(self._bucket, self._folder(name), self._look, self._trials)
        else:
            files = self._meant(first) if self._trials.has("list") else self._unlisted()
        self._try_read(files.files)
        outcome = self._trials.outcome()
        if len(files.files) == 1 and files.files[0].key in self._names:
            info = files.files[0]
            properties, url = facts_of(info), self._bucket.link(info.key, _LINK_S)
            shown = info.key
        else:
            properties, url, shown = {}, "", files.base
        return Found(
            name=shown.rstrip("/").rpartition("/")[2],
            path=shown,
            size=files.size,
            properties=properties,
            url=url,
            files=files,
            outcome=outcome,
        )

    def _meant(self, first: ObjectInfo | None) -> Files:
        """Return a page of the objects that the names mean."""
        limit = self._look.limit
        objects = find_objects(
            self._bucket, self._names, at_a_time=_LOOKS_AT_A_TIME, check=self._trials.check
        )
        try:
            found = self._trials.call(lambda: [it.info for it in islice(objects, limit + 1)])
        except BucketDenied as error:
            self._trials.deny("list" if error.permission == "list" else "read", error)
            # An object that may not be looked at may still be listed.
            found = [first] if first and first.key == self._names[0] else []
        except ObjectMissing as error:
            raise self._trials.bad("name", error.message) from None
        base, in_order = self._base(found)
        files, more = tuple(found[:limit]), len(found) > limit
        return Files(base=base, files=files, truncated=more, after=files[-1].key if more and in_order else "")

    def _unlisted(self) -> Files:
        """Return the first object that is named itself, which may be read though nothing can be listed."""
        name = next((it for it in self._names if not it.endswith("/")), None)
        try:
            info = self._trials.may("read", lambda: self._bucket.look(name)) if name else None
        except ObjectMissing as error:
            raise self._trials.bad("name", error.message) from None
        if info is None:
            return Files()
        base = info.key[: info.key.rfind("/") + 1]
        return Files(base=base, files=(info,), truncated=len(self._names) > 1)

    def _base(self, files: Sequence[ObjectInfo]) -> tuple[str, bool]:
        """Return the folder that the files are shown in, and whether more of it can be listed."""
        if len(self._names) > 1:
            return "", False
        name = self._names[0]
        folder = name if name.endswith("/") else f"{name}/"
        key = files[0].key if files else folder
        if key == name:
            return key[: key.rfind("/") + 1], False
        return (folder, True) if key.startswith(folder) else (Pattern(name).folder, False)

    def _folder(self, name: str) -> str:
        if len(self._names) > 1 or is_pattern(name):
            raise BadInput("path and after are for a source that is one folder", field="path")
        return name if name.endswith("/") else f"{name}/"

    def _try_read(self, files: Sequence[ObjectInfo]) -> None:
        """Try a byte of the first file that has one; of empty ones the first is only looked at."""
        info = next((it for it in files if it.size), files[0] if files else None)
        if info is not None:
            key, size = info.key, info.size
            try:
                self._trials.may(
                    "read", lambda: self._bucket.read(key, 0, 1) if size else self._bucket.look(key)
                )
            except ObjectMissing as error:
                self._trials.complain(error.message)  # deleted meanwhile
