"""What a delivery works with: where bytes come from, where they may lie on their way, and who hears of it."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from storage.blobs import BlobStore


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryContext:
    """`scratch` is an empty folder, `check` raises to stop the delivery, `say` takes lines of its log."""

    store: BlobStore
    scratch: Path
    transfers: int
    check: Callable[[], None]
    say: Callable[[str], None]
    has_room: Callable[[], bool]
