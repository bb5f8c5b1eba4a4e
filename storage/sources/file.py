"""A file that the user uploaded: it lies in the object store already."""

from pathlib import Path

from gridloom.errors import AttemptFailed, BlobMissing
from gridloom.file_names import safe_file_name
from gridloom.sources import SourceSpec
from gridloom.states import EndReason
from storage.sources.context import SourceContext


def fetch(spec: SourceSpec, into: Path, context: SourceContext) -> None:
    """Copy the uploaded file out of the store.

    Raises:
        AttemptFailed: when it is gone, was never uploaded, or is too large.
        StoreUnavailable: when the store can't be read now.
    """
    if spec.blob_key is None:
        raise AttemptFailed(EndReason.DATA_SOURCE, "no file was uploaded for the data source")
    path = into / safe_file_name(spec.name)
    try:
        size = context.store.info(spec.blob_key).size
        if size > context.limit_bytes:
            problem = f"the uploaded file {path.name!r} has {size} bytes; the limit is {context.limit_bytes}"
            raise AttemptFailed(EndReason.DATA_SOURCE, problem)
        context.on_progress(context.store.get_file(spec.blob_key, path, 0, size))
    except BlobMissing as error:
        raise AttemptFailed(EndReason.DATA_SOURCE, f"the uploaded file {path.name!r} is gone") from error
