"""Turns a draft into the plan of its run: tags become components, settings become what workers are told."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row

from api.job_drafts import ROLES
from gridloom.errors import BadInput, BadState, NotFound
from gridloom.plan import JobPlan, PlannedStage
from gridloom.schemas import check_params
from gridloom.sources import SourceSpec
from gridloom.tags import parse_tag
from gridloom.wire import ComponentRef
from storage.destinations.catalog import check_destination_kind
from storage.repositories import components
from storage.repositories.components import ComponentRow

_LONGEST_S = 10 * 365 * 86_400.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Blocks:
    """The three building blocks of a job."""

    partitioner: ComponentRow
    app: ComponentRow
    assembler: ComponentRow

    @property
    def app_id(self) -> str:
        """The resolved app as users see it."""
        return f"{self.app.name}@{self.app.version}"

    def check_params(self, params: Mapping[str, Any]) -> None:
        """Check each section of a job's parameters against its component's schema.

        Raises:
            BadParameters: naming the member by its JSON pointer.
        """
        for role in ROLES:
            check_params(getattr(self, role).schema, params.get(role) or {}, role)


def tags_of(job: Row[Any]) -> dict[str, str]:
    """Return a job's component tags by role."""
    return {"partitioner": job.partitioner_tag, "app": job.app_tag, "assembler": job.assembler_tag}


def resolve_blocks(connection: Connection, account_id: str, tags: Mapping[str, str]) -> Blocks:
    """Return the components that tags name now.

    Raises:
        BadInput: when a tag is malformed, or names only inactive components.
        NotFound: when a tag names nothing.
    """
    return Blocks(**{role: _resolve(connection, account_id, role, tags[role]) for role in ROLES})


def _resolve(connection: Connection, account_id: str, role: Any, text: str) -> ComponentRow:
    tag = parse_tag(text, role)
    found = components.resolve(connection, tag, [role], account_id, only_active=True)
    if found:
        return found
    if components.resolve(connection, tag, [role], account_id, only_active=False):
        raise BadInput(f"{role} {text} is not active; activate it first", field=role)
    raise NotFound(f"there is no {role} {text!a}")


def make_plan(job: Row[Any], config: Mapping[str, Any], blocks: Blocks) -> JobPlan:
    """Return the plan of a draft; `config` is the job's own with what the run call changed.

    Raises:
        BadInput: when source or destination are missing.
        BadState: when the source is a file that has not arrived, or whose arrival was not confirmed.
    """
    if not job.data_destination:
        raise BadInput(f"job {job.id} has no data destination", field="dataDestination")
    destination = job.data_destination
    check_destination_kind(destination["dataSourceDescriptor"])
    return JobPlan(
        **{role: _stage(role, getattr(blocks, role), job.params) for role in ROLES},
        source=_source(job),
        destination=destination["dataSourceDescriptor"],
        destination_params=destination["params"],
        task_timeout_s=_limit_s(config.get("task_timeout_s")),
        job_timeout_s=_limit_s(config.get("job_timeout_s")),
        max_task_retries=config.get("max_task_retries") or 0,
        reuse=bool(config.get("reuse")),
    )


def _source(job: Row[Any]) -> SourceSpec:
    if not job.data_source:
        raise BadInput(f"job {job.id} has no data source", field="dataSource")
    source, upload = job.data_source, job.upload or {}
    descriptor, params = source["dataSourceDescriptor"], source["params"]
    if descriptor != "file":
        return SourceSpec(descriptor=descriptor, params=params)
    check_arrived(job)
    if not upload["confirmed"]:
        raise BadState(f"the upload of job {job.id} was not confirmed; call uploadcompleted first")
    return SourceSpec(descriptor=descriptor, params=params, blob_key=upload["key"], name=upload["name"])


def check_arrived(job: Row[Any]) -> None:
    """Raise BadState when no whole file has arrived for a job's `file` source."""
    upload = job.upload
    if upload is None:
        raise BadState(f"no file was uploaded for job {job.id}")
    if upload["size"] is None:
        raise BadState(f"the upload for job {job.id} still runs or broke off")


def _stage(role: str, component: ComponentRow, params: Mapping[str, Any]) -> PlannedStage:
    manifest = component.manifest
    return PlannedStage(
        component=ComponentRef(
            id=component.id,
            owner_id=component.owner_id or "",
            name=component.name,
            version=component.version,
            revision=component.revision,
            entrypoint=manifest.entrypoint,
            image=manifest.platform_config.container,
            archive_key=component.archive_key,
            digest=component.digest,
            network=manifest.network,
            isolation=manifest.warm.isolation,
            preload=manifest.warm.preload,
            has_secrets=bool(manifest.platform_config.secrets),
        ),
        needs=manifest.needs(),
        params=params.get(role) or {},
        passthrough=component.passthrough,
        private_image=manifest.platform_config.private_image,
        secrets=manifest.platform_config.secrets,
    )


def _limit_s(seconds: float | None) -> float | None:
    return min(seconds, _LONGEST_S) if seconds else None
