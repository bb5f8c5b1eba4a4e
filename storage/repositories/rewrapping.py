"""Seals what lies under older master keys under the newest one, a page at a time; any page may be repeated."""

from collections.abc import Callable
from dataclasses import dataclass

import structlog
from sqlalchemy import Connection

from gridloom.errors import SealBroken, VaultLocked
from storage.repositories import inline_credentials, registry_tokens, secrets
from storage.vault import Envelope, Sealed, Vault

log = structlog.get_logger()

Key = tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """A sort of envelopes: `stale` finds a page of those behind a key that are under another than the named master
    key, in the order of their keys, and locks them; `reseal` replaces one."""

    name: str
    stale: Callable[[Connection, str, Key, int], list[Envelope]]
    reseal: Callable[[Connection, Key, Sealed], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """What became of a page: envelopes sealed anew, those that can't be opened, and the last one's key.

    `last` is None when there is no further page.
    """

    rewrapped: int
    unreadable: int
    last: Key | None


KINDS = (
    Kind(name="secrets", stale=secrets.stale, reseal=secrets.reseal),
    Kind(name="registry_tokens", stale=registry_tokens.stale, reseal=registry_tokens.reseal),
    Kind(name="inline_credentials", stale=inline_credentials.stale, reseal=inline_credentials.reseal),
)


def rewrap(connection: Connection, vault: Vault, kind: Kind, after: Key, limit: int) -> Page:
    """Seal a page of envelopes anew; `after` is the last page's last key, () at the start.

    What can't be opened stays as it is.

    Raises:
        VaultLocked: when there is no master key.
    """
    found = kind.stale(connection, vault.newest().id, after, limit)
    rewrapped = 0
    for envelope in found:
        try:
            sealed = vault.rewrap(envelope.sealed, envelope.binding)
        except (VaultLocked, SealBroken) as error:
            log.error("envelope_unreadable", kind=kind.name, key=envelope.key, error=error.message)
            continue
        kind.reseal(connection, envelope.key, sealed)
        rewrapped += 1
    last = found[-1].key if len(found) == limit else None
    return Page(rewrapped=rewrapped, unreadable=len(found) - rewrapped, last=last)
