"""Links that users are given: absolute URLs whose token is the only credential."""

from datetime import UTC, datetime, timedelta
from posixpath import basename
from typing import Annotated, Any

from fastapi import Depends, Request
from sqlalchemy import Row

from api.deps import context_of
from storage.links import LinkClaims, LinkKind

UPLOAD_PATH = "/files/upload/"
DOWNLOAD_PATH = "/files/get/"
UPLOAD_LIFE = timedelta(hours=1)
#: A link outlives the file behind it, so that a late caller is told that the output is gone.
_AFTERLIFE = timedelta(days=30)


class LinkMaker:
    """Makes links that start with the address that the request came to, or the public one where that is set."""

    def __init__(self, request: Request) -> None:
        self._request, self._settings = request, context_of(request).settings
        self.signer = context_of(request).links

    @property
    def base(self) -> str:
        """Return what every link starts with, without a slash at its end."""
        return (self._settings.public_url or str(self._request.base_url)).rstrip("/")

    def upload(self, job_id: str) -> str:
        """Return where a draft's source file may be put during the next hour."""
        claims = LinkClaims(kind=LinkKind.UPLOAD, job=job_id)
        return f"{self.base}{UPLOAD_PATH}{self.signer.sign('PUT', claims, datetime.now(UTC) + UPLOAD_LIFE)}"

    def output(self, job: Row[Any], path: str) -> str:
        """Return where one file of a job's output is fetched from."""
        return self._download(job, LinkClaims(kind=LinkKind.BLOB, job=job.id, path=path, name=basename(path)))

    def archive(self, job: Row[Any]) -> str:
        """Return where all of a job's output is fetched from, in one zip file."""
        return self._download(job, LinkClaims(kind=LinkKind.ARCHIVE, job=job.id, name=f"{job.id}.zip"))

    def _download(self, job: Row[Any], claims: LinkClaims) -> str:
        expires_at = (job.output_expires_at or datetime.now(UTC)) + _AFTERLIFE
        return f"{self.base}{DOWNLOAD_PATH}{self.signer.sign('GET', claims, expires_at)}"


async def _link_maker(request: Request) -> LinkMaker:
    return LinkMaker(request)


LinksDep = Annotated[LinkMaker, Depends(_link_maker)]
