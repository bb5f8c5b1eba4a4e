"""What a destination holds already under the names of a job's output: what it delivered before, and others' files."""

from collections.abc import Iterator, Mapping
from itertools import islice
from threading import Lock

from gridloom.errors import BucketDenied, ObjectExists, ObjectMissing
from storage.buckets.bucket import Bucket, ObjectInfo
from storage.side_by_side import SideBySide

OWNER = "gridloom-job"  #: the member of an object's metadata that names its job

_MOST_NAMED = 5
_LISTED, _LISTED_FOR_EACH = 10_000, 20


class Present:
    """What was found below a prefix, for one job; `etags` are those of what it delivered before, by path below that."""

    def __init__(self, bucket: Bucket, prefix: str, job_id: str, *, overwrite: bool) -> None:
        self._bucket, self._prefix, self._job_id, self._overwrite = bucket, prefix, job_id, overwrite
        self.etags: dict[str, str] = {}
        self._sizes: Mapping[str, int] = {}
        self._foreign: set[str] = set()
        self._blind = False
        self._lock = Lock()

    def find(self, moves: SideBySide, sizes: Mapping[str, int]) -> None:
        """Look for objects of these paths, which are to have these sizes.

        Raises:
            ObjectExists: when others than the job's own are there, and may not be replaced.
            BucketDenied: when it can't be told, and may not be left open.
        """
        self._sizes = sizes
        moves.each(self._look, self._taken(moves))
        self._sizes = {}
        if self._foreign and not self._overwrite:
            raise self._refusal()

    def is_own(self, found: ObjectInfo, size: int) -> bool:
        """Tell whether an object is what the job delivers there, with this size."""
        return found.metadata.get(OWNER) == self._job_id and found.size == size

    def _taken(self, moves: SideBySide) -> Iterator[str]:
        """Yield the paths under which there may be something."""
        most = _LISTED + _LISTED_FOR_EACH * len(self._sizes)
        try:
            for found in islice(self._bucket.list(self._prefix, check=moves.check), most):
                if (path := found.key.removeprefix(self._prefix)) in self._sizes:
                    yield path
                most -= 1
        except BucketDenied as error:
            if error.permission != "list":
                raise
            most = 0
        if not most:  # it may not be listed, or holds so much that looking at each name is quicker
            yield from self._sizes

    def _look(self, path: str) -> None:
        if self._blind:
            return
        try:
            found = self._bucket.look(self._prefix + path)
        except ObjectMissing:
            return
        except BucketDenied as error:
            if not self._overwrite:
                raise _untold(error) from None
            self._blind = True
            return
        with self._lock:
            if self.is_own(found, self._sizes[path]):
                self.etags[path] = found.etag
            else:
                self._foreign.add(path)
            if len(self._foreign) > _MOST_NAMED and not self._overwrite:
                raise self._refusal()

    def _refusal(self) -> ObjectExists:
        names = ", ".join(f"{self._prefix}{path}" for path in sorted(self._foreign)[:_MOST_NAMED])
        more = " and more" if len(self._foreign) > _MOST_NAMED else ""
        return ObjectExists(
            f"the destination has files of these names already: {names}{more}; nothing was written: choose another"
            " folder, or set `overwrite: true` in the destination's params"
        )


def _untold(error: BucketDenied) -> BucketDenied:
    return BucketDenied(
        f"{error.message}; so it can't be told which files are there already: allow to list (s3:ListBucket) and to"
        " read (s3:GetObject), or set `overwrite: true` in the destination's params",
        permission=error.permission,
    )
