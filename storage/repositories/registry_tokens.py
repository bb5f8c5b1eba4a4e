"""Registries' access tokens of private images: sealed beside their component, which shows them to nobody."""

from sqlalchemy import Connection, select, update

from gridloom.manifests import Manifest
from storage.repositories.components import NewComponent, find
from storage.tables import components
from storage.vault import Binding, Envelope, Sealed, Vault


def has_token(manifest: Manifest) -> bool:
    """Tell whether a manifest as it was uploaded brings a token that must be kept."""
    return manifest.platform_config.private_image and bool(manifest.platform_config.token)


def keep(connection: Connection, vault: Vault, new: NewComponent) -> None:
    """Seal the token of a component's private image, when its manifest has one; `new` was saved before.

    Raises:
        VaultLocked: when there is no master key.
    """
    manifest = new.manifest
    if not has_token(manifest):
        return
    row = find(connection, new.owner_id, manifest.type, manifest.name, (manifest.major, manifest.minor))
    assert row is not None
    sealed = vault.seal(manifest.platform_config.token, _binding(row.owner_id, row.id, row.revision))
    reseal(connection, (row.id,), sealed)


def opened(vault: Vault, sealed: Sealed, owner_id: str | None, component_id: str, revision: int) -> str:
    """Return the token of a component's revision.

    Raises:
        VaultLocked, SealBroken: when it can't be opened.
    """
    return vault.open(sealed, _binding(owner_id, component_id, revision))


def stale(connection: Connection, master_id: str, after: tuple[str, ...], limit: int) -> list[Envelope]:
    """Return and lock a page of the tokens behind the key `after` that are not under this master key."""
    query = select(components).where(components.c.token_master_id != master_id)
    if after:
        query = query.where(components.c.id > after[0])
    rows = connection.execute(query.order_by(components.c.id).limit(limit).with_for_update())
    return [
        Envelope(
            key=(row.id,),
            binding=_binding(row.owner_id, row.id, row.revision),
            sealed=Sealed(envelope=bytes(row.sealed_token), master_id=row.token_master_id),
        )
        for row in rows
    ]


def reseal(connection: Connection, key: tuple[str, ...], sealed: Sealed) -> None:
    """Replace the envelope of the component with this key: its id."""
    connection.execute(
        update(components)
        .where(components.c.id == key[0])
        .values(sealed_token=sealed.envelope, token_master_id=sealed.master_id)
    )


def _binding(owner_id: str | None, component_id: str, revision: int) -> Binding:
    return (owner_id or "", "registry-token", component_id, revision)
