"""Seals what must not be readable in the database: AES-256-GCM under a data key of its own, that under a master key.

An envelope is opaque: a byte for its form, the wrapped data key and the sealed value, each after its nonce. Both are
bound to what the value belongs to, so an envelope that was copied to another place does not open there.
"""

import json
import os
import threading
from dataclasses import dataclass, field
from pathlib import Path

import structlog
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from gridloom.errors import SealBroken, SetupFailed, VaultLocked
from gridloom.master_keys import KEY_BYTES, MasterKey, parse_master_keys

log = structlog.get_logger()

Binding = tuple[str | int, ...]
"""What a sealed value belongs to; the same value opens under the same binding only."""

_FORM = b"\x01"
_NONCE_BYTES = 12
_WRAPPED_BYTES = KEY_BYTES + 16
_VALUE_AT = len(_FORM) + _NONCE_BYTES + _WRAPPED_BYTES


@dataclass(frozen=True, slots=True, kw_only=True)
class Sealed:
    """An envelope, and the id of the master key that opens it."""

    envelope: bytes = field(repr=False)
    master_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Envelope:
    """A sealed value as it lies in the database: the key of its row, and what it belongs to."""

    key: tuple[str, ...]
    binding: Binding
    sealed: Sealed


class Vault:
    """Seals with the first master key, opens with all; a key file is read again whenever it has changed."""

    def __init__(self, keys: str = "", file: Path | None = None) -> None:
        """Take the keys as text, or from a file instead.

        Raises:
            SetupFailed: when they can't be read.
        """
        self._file = file
        self._lock = threading.Lock()
        self._stamp: tuple[int, int, int] | None = None
        self._known = () if file else parse_master_keys(keys, "GRIDLOOM_MASTER_KEY")
        if file:
            self._read(file)

    def newest(self) -> MasterKey:
        """Return the key that seals.

        Raises:
            VaultLocked: when there is none.
        """
        keys = self._keys()
        if not keys:
            raise VaultLocked(
                "this fabric has no master key, so it can't keep secrets; its operator sets GRIDLOOM_MASTER_KEY_FILE"
            )
        return keys[0]

    def seal(self, value: str, binding: Binding) -> Sealed:
        """Return an envelope of the value.

        Raises:
            VaultLocked: when there is no master key.
        """
        data_key, nonce = os.urandom(KEY_BYTES), os.urandom(_NONCE_BYTES)
        sealed = nonce + AESGCM(data_key).encrypt(nonce, value.encode(), _associated(binding))
        return _wrapped(self.newest(), data_key, sealed, binding)

    def open(self, sealed: Sealed, binding: Binding) -> str:
        """Return the value.

        Raises:
            VaultLocked: when its master key is not here.
            SealBroken: when the envelope was changed, or belongs to something else.
        """
        data_key = self._unwrapped(sealed, binding)
        nonce, value = _split(sealed.envelope[_VALUE_AT:])
        try:
            return AESGCM(data_key).decrypt(nonce, value, _associated(binding)).decode()
        except (InvalidTag, ValueError):
            raise SealBroken("a sealed value does not belong where it lies, or was changed") from None

    def rewrap(self, sealed: Sealed, binding: Binding) -> Sealed:
        """Return the same value under the newest master key; raises as `open`."""
        data_key = self._unwrapped(sealed, binding)
        return _wrapped(self.newest(), data_key, sealed.envelope[_VALUE_AT:], binding)

    def _unwrapped(self, sealed: Sealed, binding: Binding) -> bytes:
        master = next((key for key in self._keys() if key.id == sealed.master_id), None)
        if master is None:
            raise VaultLocked(
                f"this fabric's master key {sealed.master_id!a} is missing; its operator has it"
            )
        nonce, wrapped = _split(sealed.envelope[len(_FORM) : _VALUE_AT])
        if not sealed.envelope.startswith(_FORM):
            raise SealBroken("a sealed value is of a form that this version does not know")
        try:
            return AESGCM(master.key).decrypt(nonce, wrapped, _associated((*binding, master.id)))
        except (InvalidTag, ValueError):
            raise SealBroken("a sealed value does not belong where it lies, or was changed") from None

    def _keys(self) -> tuple[MasterKey, ...]:
        if self._file is not None:
            try:
                self._read(self._file)
            except SetupFailed as error:  # those read before still open what they sealed
                log.error("master_key_file_unreadable", error=error.message)
        return self._known

    def _read(self, file: Path) -> None:
        try:
            with self._lock:
                found = file.stat()
                stamp = (found.st_mtime_ns, found.st_ino, found.st_size)
                if stamp != self._stamp:
                    self._known = parse_master_keys(file.read_text(), str(file))
                    self._stamp = stamp
        except (OSError, UnicodeDecodeError) as error:
            raise SetupFailed(f"GRIDLOOM_MASTER_KEY_FILE: {file} can't be read: {error}") from error


def _wrapped(master: MasterKey, data_key: bytes, sealed: bytes, binding: Binding) -> Sealed:
    nonce = os.urandom(_NONCE_BYTES)
    wrapped = AESGCM(master.key).encrypt(nonce, data_key, _associated((*binding, master.id)))
    return Sealed(envelope=_FORM + nonce + wrapped + sealed, master_id=master.id)


def _split(data: bytes) -> tuple[bytes, bytes]:
    return data[:_NONCE_BYTES], data[_NONCE_BYTES:]


def _associated(binding: Binding) -> bytes:
    return json.dumps(binding).encode()
