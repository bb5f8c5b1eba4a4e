"""HTTP client of the public API, one method for each call that programs and the CLI make."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Literal, Self
from urllib.parse import quote

from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel

from gridloom.client_session import Json, Session
from gridloom.client_transfer import BytesMoved, download, upload
from gridloom.errors import ClientError
from gridloom.states import JOB_FINAL, JobState, Stage

Kind = Literal["app", "engine"]

_PAGE = 1000


class Progress(BaseModel):
    """How many of a job's tasks are done; `total` is known once the partitioner has ended."""

    model_config = ConfigDict(frozen=True, extra="ignore", alias_generator=to_camel)

    completed: int = 0
    total: int | None = None


class PhaseMeans(BaseModel):
    """Where the time of completed tasks went: mean seconds by phase, and the share of slots claimed by tier."""

    model_config = ConfigDict(frozen=True, extra="ignore", alias_generator=to_camel)

    tasks: int = 0
    mean_seconds: dict[str, float] = {}
    claims: dict[str, float] = {}


class JobView(BaseModel):
    """What one needs to know of a job while it runs."""

    model_config = ConfigDict(frozen=True, extra="ignore", alias_generator=to_camel)

    id: str
    state: JobState
    name: str = ""
    num_chunks: int = 0
    progress: Progress = Progress()
    phases: PhaseMeans | None = None
    error_message: str = ""
    warning: str = ""
    state_timestamps: dict[str, datetime] = {}

    @property
    def is_final(self) -> bool:
        """Tell whether the job has ended."""
        return self.state in JOB_FINAL


class Client:
    """The public API under one account; not for several threads at once.

    Once the fabric has answered, reads wait up to `patience_s` for it to come back when it goes away. Every method
    raises ClientError when the fabric refuses the call and Unreachable when it gives no answer.
    """

    def __init__(self, url: str, api_key: str, *, patience_s: float = 0.0) -> None:
        self._session = Session(url, api_key, patience_s=patience_s)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._session.close()

    @property
    def url(self) -> str:
        """Where the fabric is."""
        return self._session.url

    # Components and templates

    def push_component(self, kind: Kind, data: str) -> Json:
        """Upload a component's archive, a tar in base64; returns its record."""
        return _unwrapped(self._session.call("POST", f"/v1/dev/{kind}s", body={"data": data}), kind)

    def component(self, kind: Kind, tag: str) -> Json:
        """Return the record of an app or engine."""
        return _unwrapped(self._session.call("GET", _component(kind, tag)), kind)

    def components(self, kind: Kind, *, limit: int, offset: int = 0, public: bool = False) -> Json:
        """Return one page of the caller's apps or engines, or of all public ones."""
        return self._page(f"/v1/dev/{kind}s", limit, offset, public=public)

    def switch_component(self, kind: Kind, tag: str, switch: Literal["activate", "deactivate"]) -> Json:
        """Activate or deactivate an app or engine."""
        return self._session.call("POST", _component(kind, tag, switch), body={})

    def component_status(self, kind: Kind, tag: str) -> Json:
        """Return the status message of an app or engine."""
        return self._session.call("GET", _component(kind, tag, "status"))

    def push_template(self, body: Json) -> Json:
        """Create or replace a template."""
        return self._session.call("POST", "/v1/dev/templates", body=body)

    def template(self, template_id: str) -> Json:
        """Return a template."""
        return self._session.call("GET", f"/v1/dev/templates/{_part(template_id)}")

    def templates(self, *, limit: int, offset: int = 0, public: bool = False) -> Json:
        """Return one page of the caller's templates, or of all public ones."""
        return self._page("/v1/dev/templates", limit, offset, public=public)

    # Jobs

    def create_job(self, body: Json) -> Json:
        """Create a draft; returns the job."""
        return _unwrapped(self._session.call("POST", "/v1/customer/jobs", body=body), "job")

    def job(self, job_id: str) -> Json:
        """Return a job."""
        return _unwrapped(self._session.call("GET", _job(job_id)), "job")

    def jobs(self, *, limit: int, offset: int = 0) -> Json:
        """Return one page of jobs, the newest first."""
        return self._page("/v1/customer/jobs", limit, offset)

    def change_job(
        self, job_id: str, part: Literal["datasource", "params", "jobname", "configs"], body: Json
    ) -> Json:
        """Change one part of a draft; returns the job."""
        return _unwrapped(self._session.call("PATCH", _job(job_id, part), body=body), "job")

    def run_job(self, job_id: str) -> Json:
        """Run a draft."""
        return self._session.call("POST", _job(job_id, "run"), body={})

    def abort_job(self, job_id: str) -> Json:
        """Stop a job; a draft is deleted."""
        return self._session.call("POST", _job(job_id, "abort"), body={})

    def delete_job(self, job_id: str) -> Json:
        """Remove a job from the lists; a running one is aborted first."""
        return self._session.call("DELETE", _job(job_id))

    def tasks(self, job_id: str, *, limit: int, offset: int = 0) -> Json:
        """Return one page of a job's app tasks, by chunk number."""
        return self._page(_job(job_id, "tasks"), limit, offset)

    def results(self, job_id: str) -> Iterator[Json]:
        """Yield name, link and size of every output file of a finished job, page by page."""
        offset, more = 0, True
        while more:
            answer = self._page(_job(job_id, "results"), _PAGE, offset)
            found = answer.get("results") or []
            yield from found
            offset += len(found)
            more = bool(found) and bool((answer.get("pagination") or {}).get("hasNext"))

    def logs(
        self,
        job_id: str,
        *,
        stage: Stage | None = None,
        task_ids: Sequence[str] = (),
        after_id: str = "",
        limit: int = _PAGE,
    ) -> Json:
        """Return one page of log lines; its `nextId` is the `after_id` of the next page."""
        body: Json = {"jobId": job_id, "taskIds": list(task_ids), "afterId": after_id, "limit": limit}
        if stage:
            body["stage"] = stage
        return self._session.call("POST", "/v1/customer/logs", body=body, reads=True)

    # Files

    def upload_source(self, job_id: str, file: Path, moved: BytesMoved) -> None:
        """Make `file` the data source of a draft: ask for a link, send the bytes there, confirm.

        `moved` is told the number of bytes of each step.
        """
        params = {"@type": "type.googleapis.com/bytenite.data_source.LocalFileDataSource", "name": file.name}
        source = {"dataSource": {"dataSourceDescriptor": "file", "params": params}}
        job = self.change_job(job_id, "datasource", source)
        link = ((job.get("dataSource") or {}).get("params") or {}).get("tempUrl")
        if not link:
            raise ClientError("the fabric gave no link to upload the data source to")
        self._session.plainly(link, lambda http: upload(http, link, file, moved))
        self._session.call("PATCH", _job(job_id, "uploadcompleted"), body={})

    def download_result(self, result: Json, folder: Path, moved: BytesMoved) -> Path:
        """Fetch one output file below `folder`, under the name that the fabric gives it; returns its path."""
        link, name = str(result.get("url") or result.get("link") or ""), str(result.get("name") or "")
        return self._session.patiently(
            lambda: self._session.plainly(link, lambda http: download(http, link, folder, name, moved))
        )

    def _page(self, path: str, limit: int, offset: int, *, public: bool = False) -> Json:
        query: Json = {"pagination.limit": limit, "pagination.offset": offset}
        return self._session.call("GET", path, query=query | ({"isPublic": "true"} if public else {}))


def _unwrapped(answer: Json, key: str) -> Json:
    inner = answer.get(key)
    return inner if isinstance(inner, dict) else answer


def _part(text: str) -> str:
    return quote(text, safe="@/")  # a tag may be user/name@version


def _component(kind: Kind, tag: str, verb: str = "") -> str:
    return f"/v1/dev/{kind}s/{_part(tag)}" + (f"/{verb}" if verb else "")


def _job(job_id: str, verb: str = "") -> str:
    return f"/v1/customer/jobs/{_part(job_id)}" + (f"/{verb}" if verb else "")
