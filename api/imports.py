"""Copies what others made public into the caller's account: never with a login, a credential or its activation."""

from collections.abc import Collection
from dataclasses import replace

from sqlalchemy import Connection

from api.context import Context
from api.push import judged, keep_template, kept, stored
from api.shapes.components import ImportRequest
from api.tokens import Caller
from gridloom.archives import MANIFEST, pack_component, read_component
from gridloom.errors import BadState, NotFound
from gridloom.manifest_text import renamed
from gridloom.manifests import Kind
from gridloom.tags import Tag, parse_tag
from gridloom.templates import Template, template_of
from storage.repositories import components, templates
from storage.repositories.components import ComponentRow
from storage.repositories.templates import TemplateRow


def import_component(
    context: Context, caller: Caller, text: str, kinds: Collection[Kind], what: str, wish: ImportRequest
) -> ComponentRow:
    """Copy the public component that a tag names; `what` is its word in errors.

    The copy has the version, but starts inactive and private with a revision and an archive of its own.

    Raises:
        BadInput: when the text is no tag, or the new name is none.
        NotFound: when nobody made such a thing public.
        BadState: when the caller has one of this name and version already.
        Forbidden: when the caller keeps as many components as one may.
    """
    tag = _tag(text, what, wish)
    with context.database.read() as connection:
        row = components.published(connection, tag, kinds, caller.account_id)
    if row is None:
        raise NotFound(f"there is no public {what} {tag}")
    data = _copied(context.store.get_bytes(row.archive_key), wish.name)
    new = judged(read_component(data), data, caller.account_id)
    if stored(context, new) is not None:
        raise BadState(
            f"you have {new.manifest.name}@{new.manifest.version} already; give the copy another name",
            field="name",
        )
    context.writer.run(kept(context, new, data))
    copy = stored(context, new)
    assert copy is not None
    return copy


def import_template(context: Context, caller: Caller, template_id: str, wish: ImportRequest) -> TemplateRow:
    """Copy a public template, which becomes private, under its own id or the name that is wished.

    Raises:
        BadInput: when the new name is no id.
        NotFound: when nobody made such a template public.
        BadState: when the caller has a template of this id already.
    """
    with context.database.read() as connection:
        row = templates.published(connection, caller.account_id, template_id, wish.user_name)
    if row is None:
        raise NotFound(f"there is no public template {template_id}")
    copy = _renamed(row.template.shared(), wish.name)

    def work(connection: Connection) -> TemplateRow | None:
        if templates.owns(connection, caller.account_id, copy.id):
            raise BadState(f"you have a template {copy.id} already; give the copy another name", field="name")
        keep_template(connection, context, caller.account_id, copy)
        return templates.find(connection, caller.account_id, copy.id)

    made = context.writer.run(work)
    assert made is not None
    return made


def _tag(text: str, what: str, wish: ImportRequest) -> Tag:
    tag = parse_tag(text, f"{what}Tag")
    return replace(tag, user=wish.user_name) if wish.user_name and not tag.id else tag


def _copied(data: bytes, name: str) -> bytes:
    if not name:
        return data
    archive = read_component(data)
    manifest = renamed(archive.require(MANIFEST), name)
    return pack_component({**archive.files, MANIFEST: manifest}, archive.executable)


def _renamed(template: Template, name: str) -> Template:
    return template_of({**template.model_dump(exclude={"is_public"}), "id": name or template.id})
