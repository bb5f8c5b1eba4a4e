"""The task's one chunk, as TASK_DIR/data.bin."""

from gridloom.errors import StoreUnavailable
from worker.attempt import Attempt, Phase

NAME = "data.bin"


class Chunk:
    """Writes the bytes that came with the claim, or fetches them."""

    phase: Phase = "fetched"

    def prepare(self, attempt: Attempt) -> None:
        """Write the chunk."""
        claimed, path = attempt.claimed, attempt.place("TASK_DIR") / NAME
        if claimed.blob is None:
            path.write_bytes(attempt.inline)
        else:
            blob = claimed.blob
            size = attempt.shop.store.get_file(blob.key, path, blob.offset, blob.size)
            if size != blob.size:
                raise StoreUnavailable(f"{blob.key} ends after {size} of {blob.size} bytes")
        attempt.env["CHUNK_NUMBER"] = str(claimed.chunk)

    def cleanup(self, attempt: Attempt) -> None:
        """Nothing: the folder goes as a whole."""
