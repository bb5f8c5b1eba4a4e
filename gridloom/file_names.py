"""File names that outsiders propose, made safe to use as the name of one plain file."""

from unicodedata import category, normalize

DEFAULT_NAME = "data.bin"
MAX_NAME_BYTES = 200


def safe_file_name(proposed: str, default: str = DEFAULT_NAME) -> str:
    """Return the base name of a proposed name or path: no separators, no controls, at most 200 bytes, else `default`.

    An overlong name keeps its extension.
    """
    base = normalize("NFC", proposed).replace("\\", "/").rpartition("/")[2]
    name = "".join(char for char in base if not category(char).startswith("C")).strip()
    if not name.strip("."):
        return default
    if len(name.encode()) <= MAX_NAME_BYTES:
        return name
    stem, dot, extension = name.rpartition(".")
    if not stem or len(extension.encode()) > 20:
        stem, dot, extension = name, "", ""
    room = MAX_NAME_BYTES - len((dot + extension).encode())
    return stem.encode()[:room].decode(errors="ignore") + dot + extension
