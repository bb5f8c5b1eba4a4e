"""Master keys, which secrets are sealed under: text of `id:base64` entries, the newest first."""

import base64
import binascii
import re
import secrets
from dataclasses import dataclass, field

from gridloom.errors import SetupFailed

KEY_BYTES = 32
_ID = re.compile(r"[A-Za-z0-9_-]{1,16}")


@dataclass(frozen=True, slots=True, kw_only=True)
class MasterKey:
    """A key of 256 bits and its name, which stands beside all that is sealed under it."""

    id: str
    key: bytes = field(repr=False)


def parse_master_keys(text: str, place: str) -> tuple[MasterKey, ...]:
    """Read entries apart by lines or commas, without blank ones and those that start with `#`.

    Raises:
        SetupFailed: when an entry is malformed, or an id occurs twice; it names `place` and never shows a key.
    """
    entries = (entry.strip() for line in text.splitlines() for entry in _entries_of(line))
    found = tuple(_parse(entry, place) for entry in entries if entry)
    if len({key.id for key in found}) < len(found):
        raise SetupFailed(f"{place}: two master keys have the same id")
    return found


def new_master_key() -> str:
    """Return the entry of a new random key under a new random id."""
    key = base64.b64encode(secrets.token_bytes(KEY_BYTES)).decode()
    return f"k{secrets.token_hex(4)}:{key}"


def _entries_of(line: str) -> list[str]:
    return [] if line.lstrip().startswith("#") else line.split(",")


def _parse(entry: str, place: str) -> MasterKey:
    name, _, encoded = entry.partition(":")
    try:
        key = base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if len(key) != KEY_BYTES or not _ID.fullmatch(name):
        raise SetupFailed(
            f"{place}: a master key must read id:base64, with an id of 1 to 16 letters, digits, - and _, and "
            f"{KEY_BYTES} bytes in base64"
        )
    return MasterKey(id=name, key=key)
