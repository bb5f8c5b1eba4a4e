"""Gives tasks the secrets that manifests and ends name: checked at the run, opened when a worker has claimed."""

import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection, Row

from api.end_places import check_secret, is_bucket, open_params
from api.job_drafts import ROLES
from api.job_plans import Blocks
from gridloom.buckets import BucketPlace
from gridloom.destinations import DestinationSpec
from gridloom.errors import AttemptFailed, BadInput, GridloomError, SealBroken
from gridloom.net_guard import PrivateHosts
from gridloom.plan import PlannedStage
from gridloom.sources import SourceSpec
from gridloom.states import EndReason, Stage
from gridloom.wire import ClaimRequest, Work
from storage.repositories import images, inline_credentials, jobs, secrets
from storage.repositories.inline_credentials import ENDS, End, Holder
from storage.repositories.secrets import Credentials
from storage.vault import Vault

_NOT_IN_NAMES = re.compile(r"[^A-Za-z0-9_]")


def check_named(connection: Connection, owner_id: str, blocks: Blocks) -> None:
    """Check that the job's owner has every secret that the manifests of its blocks name.

    Raises:
        BadInput: when one doesn't exist, has expired or is ambiguous; it names secret and block.
    """
    for role in ROLES:
        block = getattr(blocks, role)
        try:
            secrets.named(connection, owner_id, block.manifest.platform_config.secrets)
        except BadInput as error:
            raise BadInput(f"{role} {block.name} asks for a secret: {error.message}", field=role) from None


def check_ends(connection: Connection, job: Row[Any]) -> None:
    """Check that the job's owner has the secrets that its source and destination name.

    Raises:
        BadInput: naming the field.
    """
    for end in ENDS:
        check_secret(connection, job.owner_id, end, getattr(job, end))


def is_complete(planned: PlannedStage | None, work: Work) -> bool:
    """Return whether work needs nothing that `complete` would give it."""
    asks = planned is not None and (planned.secrets or planned.private_image)
    return not (asks or work.source or work.destination)


def complete(
    connection: Connection,
    vault: Vault,
    request: ClaimRequest,
    planned: PlannedStage | None,
    work: Work,
    *,
    allow: PrivateHosts,
) -> Work:
    """Return work with its secrets, the login of its private image, and the credentials of the job's ends.

    Raises:
        AttemptFailed: when one can't be had; whether trying again may help is in the reason.
    """
    opener = _Opener(connection, vault, jobs.holder_of(work.owner_id, request.job_id), allow)
    if work.source is not None:
        source = opener.source(work.source)
        if (
            request.stage is Stage.APP
        ):  # who runs a chunk is told its key, and needs no names: there may be 10,000
            source = source.model_copy(update={"params": {}})
        work = work.model_copy(update={"source": source})
    if work.destination is not None:
        work = work.model_copy(update={"destination": opener.destination(work.destination)})
    return work if planned is None else _with_secrets(connection, vault, planned, work)


def _with_secrets(connection: Connection, vault: Vault, planned: PlannedStage, work: Work) -> Work:
    with _failing(EndReason.BAD_COMPONENT):
        if planned.private_image:
            work = work.model_copy(update={"login": images.login(connection, vault, planned.component)})
        if planned.secrets:
            rows = secrets.named(connection, work.owner_id, planned.secrets)
            env, names = variables(secrets.opened(vault, row) for row in rows)
            work = work.model_copy(update={"env": env | work.env, "secret_names": names})
    return work


class _Opener:
    """Opens what lets into the ends of one job."""

    def __init__(self, connection: Connection, vault: Vault, holder: Holder, allow: PrivateHosts) -> None:
        self._connection, self._vault, self._holder, self._allow = connection, vault, holder, allow

    def source(self, source: SourceSpec) -> SourceSpec:
        with _failing(EndReason.DATA_SOURCE):
            params = self._whole("data_source", source.params)
            if not is_bucket(source.descriptor):
                return source.model_copy(update={"params": params})
            return source.model_copy(update={"place": self._place("data_source", source.descriptor, params)})

    def destination(self, destination: DestinationSpec) -> DestinationSpec:
        with _failing(EndReason.DESTINATION_REFUSED):
            params = self._whole("data_destination", destination.params)
            place = self._place("data_destination", destination.descriptor, params)
            return destination.model_copy(update={"place": place})

    def _whole(self, end: End, params: Mapping[str, Any]) -> dict[str, Any]:
        return inline_credentials.whole(self._connection, self._vault, self._holder, end, params)

    def _place(self, end: End, descriptor: str, params: Mapping[str, Any]) -> BucketPlace:
        opened = open_params(
            self._connection,
            self._vault,
            self._holder.owner_id,
            end=end,
            descriptor=descriptor,
            params=params,
            allow=self._allow,
        )
        return opened.place


@contextmanager
def _failing(reason: EndReason) -> Iterator[None]:
    """End the attempt with `reason` where the end is at fault, and as the runner's failure where the fabric is."""
    try:
        yield
    except (BadInput, SealBroken) as error:
        raise AttemptFailed(reason, error.message) from None
    except GridloomError as error:
        raise AttemptFailed(EndReason.RUNNER_FAILED, error.message) from None


def variables(opened: Iterable[Credentials]) -> tuple[dict[str, str], tuple[str, ...]]:
    """Return the variables that secrets are handed over in, and the names of those with a secret key.

    An alias, in which only letters, digits and _ are left, gives way to a secret whose id is just that.
    """
    exact: dict[str, str] = {}
    aliases: dict[str, str] = {}
    hidden: set[str] = set()
    for secret in opened:
        for name, found in ((secret.id, exact), (_NOT_IN_NAMES.sub("_", secret.id), aliases)):
            if secret.secret_type == "other":
                found[name] = secret.secret_key
                hidden.add(name)
            else:
                found[f"{name}_ACCESS_KEY"] = secret.access_key
                found[f"{name}_SECRET_KEY"] = secret.secret_key
                hidden.add(f"{name}_SECRET_KEY")
    return aliases | exact, tuple(sorted(hidden))
