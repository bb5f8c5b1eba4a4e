"""Makes a job ready to run: from a template or an earlier draft, with parameters, settings, source and destination."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cli.ends import SPELLING
from gridloom.errors import BadInput
from gridloom.ids import is_uuid

if TYPE_CHECKING:
    from gridloom.client import Client

Json = dict[str, Any]

_SECTIONS = ("partitioner", "app", "assembler")
_SETTINGS = {
    "tasktimeout": "taskTimeout",
    "jobtimeout": "jobTimeout",
    "maxtaskretries": "maxTaskRetries",
    "istestjob": "isTestJob",
    "reuse": "reuse",
}
TEMPORARY_BUCKET: Json = {"dataSourceDescriptor": "bucket", "params": {}}


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """What the user asked for; `origin` is a template id or the id of a draft that exists."""

    origin: str
    name: str = ""
    file: Path | None = None  #: the source, when it is a file of this machine
    source: Json | None = None
    destination: Json | None = None
    params: Json = field(default_factory=dict)
    config: Json = field(default_factory=dict)


def read_params(pairs: Sequence[str]) -> Json:
    """Read SECTION.KEY=VALUE pairs; a value that is JSON counts as such, any other as text.

    Raises:
        BadInput: when a pair has another form.
    """
    params: Json = {}
    for pair in pairs:
        place, equals, value = pair.partition("=")
        section, dot, key = place.partition(".")
        if not equals or not dot or not key or section not in _SECTIONS:
            raise BadInput(
                f"--param {pair}: write partitioner.KEY=VALUE, app.KEY=VALUE or assembler.KEY=VALUE"
            )
        params.setdefault(section, {})[key] = _value(value)
    return params


def read_config(pairs: Sequence[str]) -> Json:
    """Read NAME=VALUE pairs of execution settings, with names in either spelling.

    Raises:
        BadInput: when a name is not known.
    """
    config: Json = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        known = _SETTINGS.get(name.replace("_", "").lower())
        if not equals or not known:
            raise BadInput(
                f"--config {pair}: write one of {', '.join(f'{it}=VALUE' for it in _SETTINGS.values())}"
            )
        config[known] = _value(value)
    return config


def make_job(client: "Client", draft: Draft, moved: Callable[[int], None]) -> Json:
    """Create the job, or change the draft that is named, and upload its source; returns the job.

    Where neither the template nor the user names a destination, it is the temporary bucket.

    Raises:
        BadInput: when the source is not a file.
    """
    if draft.file and not draft.file.is_file():
        raise BadInput(f"--input {draft.file} is neither a file nor an http(s) URL nor {SPELLING}")
    job = _changed(client, draft) if is_uuid(draft.origin) else client.create_job(_body(draft)).raw
    job_id = str(job["id"])
    if not (draft.destination or (job.get("dataDestination") or {}).get("dataSourceDescriptor")):
        client.change_job(job_id, "datasource", {"dataDestination": TEMPORARY_BUCKET})
    if draft.file:
        client.upload_source(job_id, draft.file, moved)
    return job


def _body(draft: Draft) -> Json:
    body = {"templateId": draft.origin, "name": draft.name, "params": draft.params, "config": draft.config}
    return {key: value for key, value in body.items() if value} | _data(draft)


def _changed(client: "Client", draft: Draft) -> Json:
    job = client.job(draft.origin).raw
    if draft.params:
        known = job.get("params") or {}
        # The call replaces each section that it names.
        merged = {section: (known.get(section) or {}) | new for section, new in draft.params.items()}
        client.change_job(draft.origin, "params", merged)
    if draft.config:
        client.change_job(draft.origin, "configs", draft.config)
    if draft.name:
        client.change_job(draft.origin, "jobname", {"name": draft.name})
    if data := _data(draft):
        client.change_job(draft.origin, "datasource", data)
    return job


def _data(draft: Draft) -> Json:
    data = {"dataSource": draft.source, "dataDestination": draft.destination}
    return {name: end for name, end in data.items() if end}


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text
