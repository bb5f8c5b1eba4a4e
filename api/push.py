"""Takes uploaded components and templates: judged whole before anything of them is kept."""

import base64
import binascii
import hashlib
from collections.abc import Callable, Collection
from dataclasses import replace

from sqlalchemy import Connection

from api.context import Context
from gridloom import schemas
from gridloom.archives import MANIFEST, ComponentArchive, pack_component, read_component
from gridloom.errors import BadArchive, BadInput, BadManifest, Forbidden
from gridloom.ids import new_uuid
from gridloom.inline_credentials import apart, template_without
from gridloom.manifest_text import without_login
from gridloom.manifests import Kind, parse_manifest
from gridloom.templates import Template, parse_template
from storage.destinations.catalog import check_destination_kind
from storage.repositories import components, registry_tokens, stale_blobs, templates
from storage.repositories.components import ComponentRow, NewComponent
from storage.repositories.images import registry_of
from storage.sources.catalog import check_source_kind
from storage.vault import Sealed

_TEMPLATE = "template.json"
_MAX_TEXT_BYTES = 1024 * 1024


def decode_base64(data: str) -> bytes:
    """Return the bytes of base64, in the ordinary or the URL alphabet, with or without padding and line breaks.

    Raises:
        BadArchive: when it is neither.
    """
    text = "".join(data.split()).replace("-", "+").replace("_", "/").rstrip("=")
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except (binascii.Error, ValueError):
        raise BadArchive("data is not base64", field="data") from None


def push_component(context: Context, account_id: str, data: bytes, kinds: Collection[Kind]) -> ComponentRow:
    """Store an uploaded archive, and with an app the template that lies in it; a new component starts inactive.

    Raises:
        BadInput: when archive, manifest, schema or template break the rules; nothing is kept then.
    """
    archive = read_component(data)
    new = judged(archive, data, account_id)
    if new.manifest.type not in kinds:
        raise BadManifest(
            f"{MANIFEST}: type: {new.manifest.type} must be {' or '.join(kinds)}", field=f"{MANIFEST}.type"
        )
    template = None
    if new.manifest.type == "app" and _TEMPLATE in archive.files:
        template = parse_template(archive.files[_TEMPLATE])
        check_template(template)
    write = kept(context, new, data)

    def work(connection: Connection) -> None:
        write(connection)
        if template is not None:
            keep_template(connection, context, account_id, template)

    context.writer.run(work)
    row = stored(context, new)
    assert row is not None
    return row


def keep_template(connection: Connection, context: Context, owner_id: str, template: Template) -> None:
    """Insert a checked template, or replace the owner's one of the same id.

    Raises:
        Forbidden: when the owner keeps as many templates as one may.
        VaultLocked: when it brings secrets and there is no master key.
    """
    if not templates.owns(connection, owner_id, template.id):
        number = templates.count(connection, owner_id)
        if number >= context.settings.max_components:
            raise Forbidden(f"you keep {number} templates, the most that one may; delete some first")
    templates.save(connection, context.vault, owner_id, template)


def judged(archive: ComponentArchive, data: bytes, owner_id: str | None) -> NewComponent:
    """Return what an archive holds, once every file that the fabric reads is known to be sound.

    Raises:
        BadInput: when one is not; the message names it.
    """
    for name in (MANIFEST, _TEMPLATE, schemas.FILE):
        if len(archive.files.get(name, b"")) > _MAX_TEXT_BYTES:
            raise BadArchive(f"{name} is larger than {_MAX_TEXT_BYTES} bytes", field=name)
    manifest = parse_manifest(archive.require(MANIFEST))
    archive.require(manifest.script)
    schema = archive.files.get(schemas.FILE)
    return NewComponent(
        owner_id=owner_id,
        manifest=manifest,
        schema=None if schema is None else schemas.parse_schema(schema),
        digest=base64.b64encode(hashlib.sha256(data).digest()).decode(),
    )


def kept(context: Context, new: NewComponent, data: bytes) -> Callable[[Connection], None]:
    """Store the archive's bytes and return the write that makes a component of them.

    Every upload has a key of its own, so those of one version at the same time don't overwrite each other's bytes, and
    jobs that are running keep the code they were planned with. The login of a private image is not among those bytes, nor are
    the secrets of the template that lies in them.

    Raises:
        Forbidden: when the owner keeps as many components as one may.
        VaultLocked: when a private image's token can't be sealed.
    """
    old = stored(context, new)
    new = _with_login(context, new, old)
    if registry_tokens.has_token(new.manifest):
        context.vault.newest()
    if old is None:
        _check_room(context, new.owner_id)
    component_id = old.id if old else new_uuid()
    key = f"components/{component_id}/{new_uuid()}.tar"
    context.writer.run(lambda connection: stale_blobs.expect(connection, key))
    context.store.put_bytes(key, _without_logins(data))

    def write(connection: Connection) -> None:
        stale_blobs.name(connection, key)
        components.save(connection, component_id, replace(new, archive_key=key))
        registry_tokens.keep(connection, context.vault, new)

    return write


def _with_login(context: Context, new: NewComponent, old: ComponentRow | None) -> NewComponent:
    """Return the component with the login it had, where it names none for the same registry: downloads lack it."""
    config = new.manifest.platform_config
    if old is None or old.sealed_token is None or not config.private_image or config.token:
        return new
    kept = old.manifest.platform_config
    if config.username not in ("", kept.username) or registry_of(config.container) != registry_of(
        kept.container
    ):
        return new
    sealed = Sealed(envelope=old.sealed_token, master_id=old.token_master_id or "")
    token = registry_tokens.opened(context.vault, sealed, old.owner_id, old.id, old.revision)
    login = config.model_copy(update={"username": kept.username, "token": token})
    return replace(new, manifest=new.manifest.model_copy(update={"platform_config": login}))


def _check_room(context: Context, owner_id: str | None) -> None:
    if owner_id is None:
        return
    with context.database.read() as connection:
        number, most = components.count(connection, owner_id), context.settings.max_components
    if number >= most:
        raise Forbidden(f"you keep {number} apps and engines, the most that one may; delete some first")


def _without_logins(data: bytes) -> bytes:
    archive = read_component(data)
    kept = dict(archive.files)
    kept[MANIFEST] = without_login(archive.require(MANIFEST))
    if _TEMPLATE in kept:
        kept[_TEMPLATE] = template_without(kept[_TEMPLATE])
    return data if kept == archive.files else pack_component(kept, archive.executable)


def stored(context: Context, new: NewComponent) -> ComponentRow | None:
    """Return the record of the same owner, kind, name and version."""
    manifest = new.manifest
    with context.database.read() as connection:
        return components.find(
            connection, new.owner_id, manifest.type, manifest.name, (manifest.major, manifest.minor)
        )


def check_template(template: Template) -> None:
    """Check a template's size, and that its source and destination, where it names them, are known and of the right
    direction, and their secrets text.

    Raises:
        BadInput: naming the member.
    """
    if len(template.model_dump_json()) > _MAX_TEXT_BYTES:
        raise BadInput(f"template {template.id} is larger than {_MAX_TEXT_BYTES} bytes", field="template")
    ends = (
        ("dataSource", template.data_source, check_source_kind),
        ("dataDestination", template.data_destination, check_destination_kind),
    )
    for name, end, check_kind in ends:
        if end:
            apart(end.params, f"template.{name}.params")
        if end and end.data_source_descriptor:
            check_kind(end.data_source_descriptor)
