"""Links that users are given: absolute URLs whose token is the only credential."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from posixpath import basename
from typing import Annotated, Any

from fastapi import Depends, Request
from sqlalchemy import Row

from api.context import Context
from storage.links import LinkClaims, LinkKind, LinkSigner

UPLOAD_PATH = "/files/upload/"
DOWNLOAD_PATH = "/files/get/"
UPLOAD_LIFE = timedelta(hours=1)
#: A link outlives the file behind it, so that a late caller is told that the output is gone.
_AFTERLIFE = timedelta(days=30)


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkMaker:
    """Makes links that start with `base`."""

    base: str
    signer: LinkSigner

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
    context: Context = request.app.state.context
    base = context.settings.public_url or str(request.base_url)
    return LinkMaker(base=base.rstrip("/"), signer=context.links)


LinksDep = Annotated[LinkMaker, Depends(_link_maker)]
