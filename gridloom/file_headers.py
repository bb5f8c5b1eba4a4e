"""What a download says of a file: its name and its media type."""

import mimetypes
from urllib.parse import quote


def attachment(name: str) -> str:
    """Return the Content-Disposition under which a browser saves a file by its name (RFC 6266)."""
    plain = "".join(it if it.isascii() and it.isprintable() and it not in '"\\%' else "_" for it in name)
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe='')}"


def media_type(name: str) -> str:
    """Return the media type that a file's name suggests; that of a packed file is its packing's."""
    kind, packing = mimetypes.guess_type(name)
    if packing:
        kind = "application/gzip" if packing == "gzip" else None
    return kind or "application/octet-stream"
