"""Images of jobs: the digest that all tasks of a job run, and the login of private ones."""

from sqlalchemy import Connection, bindparam, select

from gridloom.manifests import Manifest
from gridloom.wire import ComponentRef, ImageLogin
from storage.columns import db_now
from storage.repositories import registry_tokens
from storage.tables import components, image_pins
from storage.upsert import insert_into
from storage.vault import Sealed, Vault

# Asked with every bundle: building a statement costs more than running it.
_PINNED = select(image_pins.c.digest).where(
    image_pins.c.job_id == bindparam("of_job"), image_pins.c.image == bindparam("of_image")
)


def pinned(connection: Connection, job_id: str, image: str) -> str:
    """Return the digest that a job keeps of an image; empty before anyone looked."""
    if not image:
        return ""
    found = connection.execute(_PINNED, {"of_job": job_id, "of_image": image}).scalar_one_or_none()
    return found or ""


def pin(connection: Connection, job_id: str, image: str, digest: str) -> str:
    """Keep this digest for a job's image unless there is one; return the one that counts."""
    first = insert_into(connection, image_pins).values(
        job_id=job_id, image=image, digest=digest, created_at=db_now()
    )
    connection.execute(first.on_conflict_do_nothing())
    return pinned(connection, job_id, image)


def login(connection: Connection, vault: Vault, component: ComponentRef) -> ImageLogin | None:
    """Return the login that a private image's component names now, None where it names none.

    A token that a later upload brought counts for jobs that run already, but not for another registry: that one
    would be told a secret that is none of its business.

    Raises:
        VaultLocked, SealBroken: when the token can't be opened.
    """
    row = connection.execute(select(components).where(components.c.id == component.id)).one_or_none()
    if row is None or row.sealed_token is None:
        return None
    config = Manifest.model_validate(row.manifest).platform_config
    if not config.private_image or registry_of(config.container) != registry_of(component.image):
        return None
    sealed = Sealed(envelope=bytes(row.sealed_token), master_id=row.token_master_id)
    token = registry_tokens.opened(vault, sealed, row.owner_id, row.id, row.revision)
    return ImageLogin(username=config.username, token=token)


def registry_of(image: str) -> str:
    """Return the registry that an image's name leads to."""
    head, slash, _ = image.partition("/")
    return head if slash and ("." in head or ":" in head or head == "localhost") else "docker.io"
