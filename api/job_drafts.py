"""Drafts of jobs: what a template proposes and a request says, merged into a job's columns."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection

from api.job_ends import Columns, end_of
from api.job_view import PRIORITIES
from api.shapes.jobs import CreateJobRequest, JobConfig, JobParams, RunRequest
from gridloom.errors import BadInput, NotFound
from gridloom.tags import parse_tag
from gridloom.templates import Template
from storage.repositories import templates
from storage.repositories.templates import TemplateRow

ROLES = ("partitioner", "app", "assembler")

_STORED_NAMES = {
    "task_timeout": "task_timeout_s",
    "job_timeout": "job_timeout_s",
    "is_test_job": "is_test_job",
    "max_task_retries": "max_task_retries",
    "reuse": "reuse",
}


def find_template(connection: Connection, account_id: str, wanted: str) -> TemplateRow:
    """Return the template that a client means: by its id, by its id before the `@`, by its app, or without the
    suffix `-template`.

    Raises:
        NotFound: when none of these exists.
    """
    name = wanted.partition("@")[0]
    found = templates.find(connection, account_id, wanted) or templates.find(connection, account_id, name)
    found = found or templates.find_by_app(connection, account_id, _spellings(wanted))
    found = found or templates.find(connection, account_id, f"{name}-template")
    if found is None:
        raise NotFound(f"there is no template {wanted!a}")
    return found


def _spellings(tag: str) -> list[str]:
    """Return how templates may write an app that a client names so."""
    try:
        parsed = str(parse_tag(tag))
    except BadInput:
        return [tag]
    name, _, version = parsed.partition("@")
    return list(dict.fromkeys((tag, parsed, f"{name}@v{version}", name)))


def draft_columns(request: CreateJobRequest, template: TemplateRow | None) -> Columns:
    """Return what a new draft is made of, all but its id, owner, name and resolved app.

    Raises:
        BadInput: when neither template nor request names one of the components.
    """
    base = template.template if template else Template(id="none")
    tags = {role: _tag(request, base, role) for role in ROLES}
    info = {
        "id": base.id if template else "",
        "owner": template.user_name if template else "",
        "description": base.description,
    }
    return {
        "description": request.description,
        "template_id": request.template_id,
        "template_info": info | tags,
        **{f"{role}_tag": tag for role, tag in tags.items()},
        "params": _first_params(base, request.params),
        "data_source": end_of(request.data_source, base.data_source),
        "data_destination": end_of(request.data_destination, base.data_destination),
        "config": changed_config(_proposed_config(base), request.config),
        "priority": PRIORITIES[request.priority],
        "start_at": request.start_at,
        "regions": request.regions.model_dump() if request.regions else None,
    }


def _tag(request: CreateJobRequest, template: Template, role: str) -> str:
    given = getattr(request, role) or getattr(request.template_info, role, "") or getattr(template, role)
    if not given:
        raise BadInput(
            f"{role} is missing: give a templateId, or the tags of all three components", field=role
        )
    return str(given)


def _first_params(template: Template, given: JobParams | None) -> Columns:
    """Merge a request's parameters over the template's, key by key inside each section."""
    proposed = template.params.model_dump(mode="json")
    asked = _given(given)
    return asked | {role: proposed[role] | asked.get(role, {}) for role in ROLES}


def changed_params(stored: Mapping[str, Any], given: JobParams) -> Columns:
    """Return parameters with each section that is given replaced."""
    return {**stored, **_given(given)}


def changed_config(stored: Mapping[str, Any], given: JobConfig | None) -> Columns:
    """Return settings with what is given in place; members below `config` of a run win over flat ones."""
    if given is None:
        return dict(stored)
    flat = given.model_dump(exclude_unset=True, exclude={"config"})
    merged = {**stored, **{_STORED_NAMES[name]: value for name, value in flat.items()}}
    return changed_config(merged, given.config) if isinstance(given, RunRequest) else merged


def _given(params: JobParams | None) -> Columns:
    return params.model_dump(exclude_unset=True) if params else {}


def _proposed_config(template: Template) -> Columns:
    given = template.config.model_dump(exclude_none=True)
    return {_STORED_NAMES[name]: value for name, value in given.items()}
