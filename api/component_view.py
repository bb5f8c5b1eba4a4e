"""Shows stored components and templates in the shapes that clients know, and finds the one a tag names."""

from collections.abc import Collection
from datetime import UTC, datetime, timedelta
from typing import Any

from api.context import Context
from api.links import DOWNLOAD_PATH, LinkMaker
from api.shapes import templates as template_shapes
from api.shapes.base import DataSource
from api.shapes.components import App, DeviceRequirements, Engine, PlatformConfig
from api.tokens import Caller
from gridloom.errors import Forbidden, NotFound
from gridloom.manifests import Kind
from gridloom.tags import parse_tag
from gridloom.templates import TemplateSource
from storage.links import LinkClaims, LinkKind
from storage.repositories import components
from storage.repositories.components import ComponentRow
from storage.repositories.templates import TemplateRow

LINK_LIFE = timedelta(hours=1)


def named(context: Context, caller: Caller, text: str, kinds: Collection[Kind], what: str) -> ComponentRow:
    """Return the component that a tag names for the caller, active or not; `what` is its word in errors.

    Raises:
        BadInput: when the text is no tag.
        NotFound: when there is none that the caller may see.
    """
    tag = parse_tag(text, f"{what}Tag")
    with context.database.read() as connection:
        row = components.resolve(connection, tag, kinds, caller.account_id, only_active=False)
    if row is None:
        raise NotFound(f"there is no {what} {tag}")
    return row


def owned(context: Context, caller: Caller, text: str, kinds: Collection[Kind], what: str) -> ComponentRow:
    """Return the caller's own component that a tag names, active or not; `what` is its word in errors.

    Raises:
        BadInput: when the text is no tag.
        NotFound: when there is none that the caller may see.
        Forbidden: when it is not the caller's.
    """
    row = named(context, caller, text, kinds, what)
    if row.owner_id != caller.account_id:
        raise Forbidden(f"{row.name}@{row.version} belongs to {row.user_name}")
    return row


def status_of(row: ComponentRow) -> str:
    """Return the word for whether jobs may use a component."""
    return "active" if row.active else "inactive"


def archive_link(row: ComponentRow, links: LinkMaker) -> str:
    """Return where the archive can be fetched for an hour without a token."""
    claims = LinkClaims(kind=LinkKind.BLOB, path=row.archive_key, name=f"{row.name}-{row.version}.tar")
    return f"{links.base}{DOWNLOAD_PATH}{links.signer.sign('GET', claims, datetime.now(UTC) + LINK_LIFE)}"


def app_of(row: ComponentRow, links: LinkMaker, caller: Caller) -> App:
    """Show a component as an app."""
    return App(**_members(row, links, caller), revision=row.revision)


def engine_of(row: ComponentRow, links: LinkMaker, caller: Caller) -> Engine:
    """Show a component as an engine."""
    return Engine(**_members(row, links, caller), type=row.kind, revision=row.revision)


def template_of(row: TemplateRow) -> template_shapes.Template:
    """Show a template; credentials in its data source and destination are left out."""
    template = row.template
    return template_shapes.Template(
        **template.model_dump(include={"id", "description", "app", "partitioner", "assembler"}),
        data_source=_source(template.data_source),
        data_destination=_source(template.data_destination),
        params=template_shapes.TemplateParams(**template.params.model_dump()),
        config=template_shapes.TemplateConfig(**template.config.model_dump()),
        is_public=row.is_public,
        owner=row.owner_id,
        user_name=row.user_name,
        created_at=row.created_at,
        updated_at=row.updated_at,
    )


def _source(source: TemplateSource | None) -> DataSource | None:
    if source is None:
        return None
    return DataSource(data_source_descriptor=source.data_source_descriptor, params=source.shown().params)


def _members(row: ComponentRow, links: LinkMaker, caller: Caller) -> dict[str, Any]:
    manifest, config = row.manifest, row.manifest.platform_config
    own = row.owner_id == caller.account_id
    return {
        "id": row.id,
        "name": row.name,
        "version": row.version,
        "owner": row.owner_id or "",
        "user_name": row.user_name,
        "status": status_of(row),
        "description": manifest.description,
        "hash": row.digest,
        "link": archive_link(row, links),
        "entrypoint": manifest.entrypoint,
        "platform": manifest.platform,
        "platform_config": PlatformConfig(
            container=config.container,
            private_image=config.private_image,
            username=config.username if own else "",
            secrets=config.secrets if own else (),
        ),
        "device_requirements": DeviceRequirements(**manifest.device_requirements.model_dump()),
        "is_public": row.is_public,
        "created_at": row.created_at,
        "updated_at": row.updated_at,
    }
