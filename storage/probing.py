"""What a look at a data source or destination finds, and the trials that tell what a bucket's keys may do."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeVar

from gridloom.errors import BadInput, BucketDenied, BucketFailed, BucketUnavailable, ObjectMissing
from gridloom.net_guard import PrivateHosts
from storage.bucket_params import BucketParams
from storage.buckets.access import Patience
from storage.buckets.bucket import Bucket, ObjectInfo

T = TypeVar("T")
Permission = Literal["list", "read", "write"]

_TOTAL_S = 15.0
_PATIENCE = Patience(connect_s=3, read_s=5, answer_s=10, attempts=2)
_AT_A_TIME = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What is asked for: a page of at most `limit` files behind `after`.

    With a `path` it is what lies directly in that folder of the end, "/" being the end itself; without one, all that
    lies below the end.
    """

    path: str = ""
    after: str = ""
    limit: int = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """Which permissions were tried and are there, and a sentence for each problem."""

    permissions: Mapping[Permission, bool] = field(default_factory=dict)
    problems: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Files:
    """One page of files and folders below the folder `base`; `after` is where the next begins, "" where none can."""

    base: str = ""
    folders: tuple[str, ...] = ()
    files: tuple[ObjectInfo, ...] = ()
    truncated: bool = False
    after: str = ""

    @property
    def size(self) -> int:
        """The bytes of the files."""
        return sum(it.size for it in self.files)


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """An end as it looks now; `size` in bytes, None when its server doesn't tell."""

    name: str
    path: str
    size: int | None
    properties: dict[str, str] = field(default_factory=dict)
    url: str = ""
    files: Files = Files()
    outcome: Outcome = Outcome()


class Trials:
    """Tries calls of a bucket and keeps which permissions are missing; `where` is "dataSource" or "dataDestination".

    Every call raises BadInput, naming a member of the params, when it is more than a permission that is missing.
    """

    def __init__(self, params: BucketParams, where: str) -> None:
        self._params, self._where = params, where
        self._deadline = time.monotonic() + _TOTAL_S
        self._permissions: dict[Permission, bool] = {}
        self._problems: list[str] = []

    def may(self, permission: Permission, call: Callable[[], T]) -> T | None:
        """Return what a call gives, None when it is denied.

        Raises:
            ObjectMissing: when there is a bucket, but not the object.
        """
        try:
            found = self.call(call)
        except BucketDenied as error:
            self.deny(permission, error)
            return None
        self._permissions.setdefault(permission, True)
        return found

    def call(self, call: Callable[[], T]) -> T:
        """Return what a call gives.

        Raises:
            BucketDenied: as the call.
            ObjectMissing: when there is a bucket, but not the object.
        """
        try:
            self.check()
            return call()
        except BucketDenied:
            raise
        except BucketUnavailable as error:
            member = "endpoint" if self._params.place.endpoint else "bucketName"
            raise self.bad(member, error.message) from None
        except BucketFailed as error:
            if isinstance(error, ObjectMissing) and not error.member:
                raise
            raise self.bad(error.member or "bucketName", error.message) from None

    def check(self) -> None:
        """Raise BucketUnavailable when all this takes too long."""
        if time.monotonic() > self._deadline:
            raise BucketUnavailable(f"bucket {self._params.place.bucket} takes longer than {_TOTAL_S:.0f} s")

    def has(self, permission: Permission) -> bool:
        """Return whether a permission was tried and is there."""
        return self._permissions.get(permission, False)

    def deny(self, permission: Permission, error: BucketDenied) -> None:
        """Note that a permission is missing."""
        if not error.permission:
            raise self.bad(self._key_member, error.message)
        self._permissions[permission] = False
        self.complain(error.message)

    def complain(self, problem: str) -> None:
        """Note a problem, once."""
        if problem not in self._problems:
            self._problems.append(problem)

    def outcome(self) -> Outcome:
        """Return what was found out.

        Raises:
            BadInput: when nothing that was tried is allowed.
        """
        if not any(self._permissions.values()):
            raise self.bad(self._key_member, "; ".join(self._problems))
        return Outcome(permissions=self._permissions, problems=tuple(self._problems))

    def bad(self, member: str, problem: str) -> BadInput:
        """Return the error for one member of the params."""
        place = f"{self._where}.params.{member}"
        return BadInput(f"{place}: {problem}", field=place)

    @property
    def _key_member(self) -> str:
        inline = self._params.place.access_key and not self._params.secret_id
        return "accessKey" if inline else "secret_id"


def open_to_look(params: BucketParams, allow: PrivateHosts) -> Bucket:
    """Return a bucket that soon gives up on a server which does not answer."""
    return Bucket(params.place, allow, transfers=_AT_A_TIME, patience=_PATIENCE)


def facts_of(info: ObjectInfo) -> dict[str, str]:
    """Return what is known of an object by name."""
    modified = info.modified_at.isoformat() if info.modified_at else ""
    facts = {"contentType": info.content_type, "lastModified": modified, "etag": info.etag}
    return {name: value for name, value in facts.items() if value}


def files_in(bucket: Bucket, folder: str, look: Look, trials: Trials) -> Files:
    """Return a page of a folder, empty when it may not be listed; `folder` ends in "/" or is the whole bucket, ""."""
    if look.path:
        return trials.may("list", lambda: _directly_in(bucket, folder, look)) or Files(base=folder)
    return trials.may("list", lambda: _below(bucket, folder, look, trials)) or Files(base=folder)


def _directly_in(bucket: Bucket, folder: str, look: Look) -> Files:
    inner = look.path.strip("/")
    base = f"{folder}{inner}/" if inner else folder
    page = bucket.folder(base, after=look.after, limit=look.limit)
    return Files(
        base=base,
        folders=page.folders,
        files=tuple(it for it in page.objects if it.key != base),
        truncated=bool(page.after),
        after=page.after,
    )


def _below(bucket: Bucket, folder: str, look: Look, trials: Trials) -> Files:
    found: list[ObjectInfo] = []
    for it in bucket.list(folder, after=look.after, check=trials.check):
        trials.check()
        if it.size or not it.key.endswith("/"):  # else it only stands for a folder
            found.append(it)
        if len(found) > look.limit:
            break
    files = tuple(found[: look.limit])
    more = len(found) > look.limit
    return Files(base=folder, files=files, truncated=more, after=files[-1].key if more else "")
