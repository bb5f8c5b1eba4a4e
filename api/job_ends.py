"""A draft's ends, where its data comes from and goes to: judged, and kept without the secrets in their params."""

from collections.abc import Mapping
from typing import Any

from pydantic.alias_generators import to_camel
from sqlalchemy import Connection

from api.shapes.base import DataSource
from gridloom.inline_credentials import Found, apart
from gridloom.net_guard import PrivateHosts
from gridloom.templates import TemplateSource
from storage.destinations.catalog import check_destination
from storage.repositories import inline_credentials, templates
from storage.repositories.inline_credentials import ENDS, End, Holder
from storage.repositories.templates import TemplateRow
from storage.sources.catalog import check_source
from storage.vault import Vault

Columns = dict[str, Any]


def stored_source(given: DataSource | None) -> Columns | None:
    """Return a source or destination as it is kept; None when none is given or its descriptor is empty."""
    if given is None or not given.data_source_descriptor:
        return None
    params = {name: value for name, value in given.params.items() if name not in ("tempUrl", "temp_url")}
    return {"dataSourceDescriptor": given.data_source_descriptor, "params": params}


def end_of(given: DataSource | None, base: TemplateSource | None) -> Columns | None:
    """Return the end that a request gives, or the template's where it gives none or repeats what is shown of that."""
    asked, proposed = stored_source(given), _proposed(base)
    return proposed if base and asked in (None, _proposed(base.shown())) else asked


def check_ends(
    data_source: Columns | None, data_destination: Columns | None, allow_private_hosts: str
) -> None:
    """Check where data comes from and goes to, as far as these are set; `allow_private_hosts` as in the settings.

    Raises:
        BadInput: naming the field.
        AddressRefused: when a url leads to an address that may not be reached.
    """
    allow = PrivateHosts.parse(allow_private_hosts)
    if data_source:
        check_source(data_source["dataSourceDescriptor"], data_source["params"], allow)
    if data_destination:
        check_destination(data_destination["dataSourceDescriptor"], data_destination["params"], allow)


def with_credentials(
    connection: Connection, vault: Vault, template: TemplateRow, columns: Columns
) -> Columns:
    """Return a draft's columns with the secrets of those ends that are just as its owner's template has them.

    Raises:
        VaultLocked, SealBroken: when they can't be opened.
    """
    holder, made = templates.holder_of(template.owner_id, template.template.id), dict(columns)
    for end in ENDS:
        stored = columns[end]
        if stored and stored == _proposed(getattr(template.template, end)):
            params = inline_credentials.whole(connection, vault, holder, end, stored["params"])
            made[end] = stored | {"params": params}
    return made


def without_credentials(columns: Columns) -> tuple[Columns, dict[End, Found]]:
    """Return a draft's columns with params that hold no secrets, and these.

    Raises:
        BadInput: when one is no text.
    """
    made, secrets = dict(columns), {}
    for end in ENDS:
        stored = columns[end]
        params, secrets[end] = apart(stored["params"] if stored else {}, f"{to_camel(end)}.params")
        made[end] = stored and stored | {"params": params}
    return made, secrets


def keep_credentials(
    connection: Connection, vault: Vault, holder: Holder, secrets: Mapping[End, Found]
) -> None:
    """Seal the secrets of these ends in place of those that they had.

    Raises:
        VaultLocked: when there are some but no master key.
    """
    for end, found in secrets.items():
        inline_credentials.keep(connection, vault, holder, end, found)


def _proposed(source: TemplateSource | None) -> Columns | None:
    if source is None:
        return None
    return stored_source(
        DataSource(data_source_descriptor=source.data_source_descriptor, params=source.params)
    )
