"""A look at a destination in a bucket: what it holds, and whether the keys may list, read, write and delete there."""

import uuid
from contextlib import closing

from gridloom.destinations import MANIFESTS
from gridloom.errors import BucketDenied, ObjectMissing
from gridloom.net_guard import PrivateHosts
from storage.bucket_params import BucketParams
from storage.buckets.bucket import Bucket
from storage.probing import Found, Look, Trials, files_in, open_to_look

_DATA = b"Gridloom looked whether it may write here.\n"


def probe_bucket(params: BucketParams, look: Look, allow: PrivateHosts) -> Found:
    """Look at a destination's folder and try to write below it, for about 15 s at most; what was written is deleted.

    Raises:
        BadInput: when it can't be reached, or nothing at all may be done there.
    """
    folder = params.names[0].strip("/")
    folder = f"{folder}/" if folder else ""
    trials = Trials(params, "dataDestination")
    with closing(open_to_look(params, allow)) as bucket:
        files = files_in(bucket, folder, look, trials)
        _try_to_write(bucket, f"{folder}{MANIFESTS}/probe-{uuid.uuid4()}", trials)
    return Found(
        name=folder.rstrip("/").rpartition("/")[2],
        path=folder,
        size=files.size,
        files=files,
        outcome=trials.outcome(),
    )


def _try_to_write(bucket: Bucket, key: str, trials: Trials) -> None:
    if trials.may("write", lambda: bucket.put(key, _DATA)) is None:
        return
    try:
        trials.may("read", lambda: bucket.look(key))
    except ObjectMissing as error:
        trials.complain(error.message)
    try:
        trials.call(lambda: bucket.delete([key]))
    except BucketDenied as error:
        trials.complain(
            f"{error.message}; the file {key} stays there, and so may parts of uploads that break off"
        )
