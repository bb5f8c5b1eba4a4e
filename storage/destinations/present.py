"""What a destination holds already under the names of a job's output: files of the job's own, and those of others."""

from collections.abc import Collection, Iterator
from threading import Lock

from gridloom.errors import BucketDenied, ObjectExists, ObjectMissing
from storage.buckets.bucket import Bucket, ObjectInfo
from storage.destinations.context import Crew

OWNER = "gridloom-job"  #: the member of an object's metadata that names its job
_MOST_NAMED = 5


class Present:
    """What was found below a prefix, for one job; `own` are its objects by their paths below that."""

    def __init__(self, bucket: Bucket, prefix: str, job_id: str, *, overwrite: bool) -> None:
        self._bucket, self._prefix, self._job_id, self._overwrite = bucket, prefix, job_id, overwrite
        self.own: dict[str, ObjectInfo] = {}
        self._foreign: list[str] = []
        self._blind = False
        self._lock = Lock()

    def find(self, crew: Crew, paths: Collection[str]) -> None:
        """Look for objects of these paths.

        Raises:
            ObjectExists: when others than the job's own are there, and may not be replaced.
            BucketDenied: when it can't be told, and may not be left open.
        """
        crew.each(self._look, self._taken(paths))
        if self._foreign and not self._overwrite:
            raise self._refusal()

    def is_own(self, found: ObjectInfo, size: int) -> bool:
        """Tell whether an object is what the job delivers there."""
        return found.metadata.get(OWNER) == self._job_id and found.size == size

    def _taken(self, paths: Collection[str]) -> Iterator[str]:
        try:
            for found in self._bucket.list(self._prefix):
                if (path := found.key.removeprefix(self._prefix)) in paths:
                    yield path
        except BucketDenied as error:
            if error.permission != "list":
                raise
            yield from paths  # each is looked at, where that is allowed

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
            if found.metadata.get(OWNER) == self._job_id:
                self.own[path] = found
            else:
                self._foreign.append(path)
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
