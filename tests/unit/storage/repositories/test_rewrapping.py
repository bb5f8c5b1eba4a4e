"""A new master key: everything is sealed under it, page by page."""

import pytest
from sqlalchemy import select, update

from gridloom.errors import VaultLocked
from gridloom.ids import new_uuid
from gridloom.manifests import Manifest
from storage.repositories import components, inline_credentials, registry_tokens, secrets
from storage.repositories.components import NewComponent
from storage.repositories.inline_credentials import Holder
from storage.repositories.rewrapping import KINDS, rewrap
from storage.repositories.secrets import NewSecret
from storage.tables import components as component_table
from storage.tables import secrets as secret_table
from storage.vault import Sealed, Vault
from tests.fixtures.vault import NEW, OLD, a_vault

SECRETS, TOKENS, INLINE = KINDS


@pytest.fixture
def five(fabric):
    """Keep five secrets of two owners, and two components with a token."""
    old = a_vault(OLD)
    for number in range(5):
        owner = fabric.owner("ada" if number % 2 else "bob")
        new = NewSecret(
            owner_id=owner, id=f"s{number}", given_type=["s3", "gcp"][number % 2], secret_key=f"k{number}"
        )
        fabric.write(secrets.save, old, new, 10)
    for name in ("one", "two"):
        config = {"container": "a/b", "private_image": True, "username": "u", "token": f"token-{name}"}
        manifest = Manifest(name=name, version="1.0", platform_config=config)
        component = NewComponent(owner_id=fabric.owner(), manifest=manifest, schema=None, digest="")
        fabric.write(components.save, new_uuid(), component)
        fabric.write(registry_tokens.keep, old, component)


def opened(fabric, vault):
    rows = fabric.write(secrets.listed, fabric.owner("ada")) + fabric.write(
        secrets.listed, fabric.owner("bob")
    )
    return sorted(secrets.opened(vault, row).secret_key for row in rows)


def tokens(fabric, vault):
    found = fabric.write(lambda connection: connection.execute(select(component_table)).all())
    return sorted(
        registry_tokens.opened(
            vault,
            Sealed(envelope=row.sealed_token, master_id=row.token_master_id),
            row.owner_id,
            row.id,
            row.revision,
        )
        for row in found
    )


def rotate(fabric, vault, kind, limit):
    pages, after = [], ()
    while after is not None:
        pages.append(fabric.write(rewrap, vault, kind, after, limit))
        after = pages[-1].last
    return [(page.rewrapped, page.unreadable) for page in pages]


def test_everything_is_sealed_anew_in_pages_and_opens_without_the_old_key(fabric, five):
    both = a_vault(NEW, OLD)
    assert rotate(fabric, both, SECRETS, 2) == [(2, 0), (2, 0), (1, 0)]
    assert rotate(fabric, both, TOKENS, 10) == [(2, 0)]
    new = a_vault(NEW)
    assert opened(fabric, new) == ["k0", "k1", "k2", "k3", "k4"]
    assert tokens(fabric, new) == ["token-one", "token-two"]
    assert rotate(fabric, both, SECRETS, 2) == rotate(fabric, both, TOKENS, 2) == [(0, 0)]


def test_a_rotation_that_broke_off_goes_on(fabric, five):
    both = a_vault(NEW, OLD)
    fabric.write(rewrap, both, SECRETS, (), 2)
    assert opened(fabric, both) == ["k0", "k1", "k2", "k3", "k4"]
    assert sum(done for done, _ in rotate(fabric, both, SECRETS, 2)) == 3


def test_what_can_not_be_opened_stays_and_does_not_stop_the_others(fabric, five):
    broken = update(secret_table).where(secret_table.c.id == "s1").values(version=9)
    fabric.write(lambda connection: connection.execute(broken))
    assert sorted(rotate(fabric, a_vault(NEW, OLD), SECRETS, 1)) == [(0, 0), (0, 1), *[(1, 0)] * 4]
    assert rotate(fabric, a_vault(NEW), TOKENS, 10) == [(0, 2)]
    assert tokens(fabric, a_vault(OLD)) == ["token-one", "token-two"]


def test_the_secrets_of_sources_and_destinations_are_sealed_anew(fabric):
    old, both = a_vault(OLD), a_vault(NEW, OLD)
    holders = [Holder(owner_id=fabric.owner(), kind="job", id=str(number)) for number in range(3)]
    for holder in holders:
        fabric.write(inline_credentials.keep, old, holder, "data_source", [(("password",), holder.id)])
    assert rotate(fabric, both, INLINE, 2) == [(2, 0), (1, 0)]
    assert rotate(fabric, both, INLINE, 2) == [(0, 0)]
    for holder in holders:
        params = fabric.write(inline_credentials.whole, a_vault(NEW), holder, "data_source", {})
        assert params == {"password": holder.id}


def test_there_must_be_a_key(fabric, five):
    with pytest.raises(VaultLocked):
        fabric.write(rewrap, Vault(), SECRETS, (), 2)
