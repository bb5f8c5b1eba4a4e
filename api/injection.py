"""Gives tasks the secrets that their manifest names: checked at the run, opened when a worker has claimed."""

import re
from collections.abc import Iterable

from sqlalchemy import Connection

from api.job_drafts import ROLES
from api.job_plans import Blocks
from gridloom.errors import AttemptFailed, BadInput, GridloomError, SealBroken
from gridloom.plan import PlannedStage
from gridloom.sources import SourceSpec
from gridloom.states import EndReason
from gridloom.wire import Work
from storage.repositories import images, inline_credentials, jobs, secrets
from storage.repositories.inline_credentials import Holder
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


def complete(connection: Connection, vault: Vault, job_id: str, planned: PlannedStage, work: Work) -> Work:
    """Return work with its secrets, the login of its private image, and the credentials of the job's source.

    Raises:
        AttemptFailed: when one can't be had; whether trying again may help is in the reason.
    """
    if work.source is not None:
        source = _with_credentials(connection, vault, jobs.holder_of(work.owner_id, job_id), work.source)
        work = work.model_copy(update={"source": source})
    try:
        if planned.private_image:
            work = work.model_copy(update={"login": images.login(connection, vault, planned.component)})
        if planned.secrets:
            rows = secrets.named(connection, work.owner_id, planned.secrets)
            env, names = variables(secrets.opened(vault, row) for row in rows)
            work = work.model_copy(update={"env": env | work.env, "secret_names": names})
    except (BadInput, SealBroken) as error:
        raise AttemptFailed(EndReason.BAD_COMPONENT, error.message) from None
    except GridloomError as error:
        raise AttemptFailed(EndReason.RUNNER_FAILED, error.message) from None
    return work


def _with_credentials(connection: Connection, vault: Vault, holder: Holder, source: SourceSpec) -> SourceSpec:
    try:
        params = inline_credentials.whole(connection, vault, holder, "data_source", source.params)
    except SealBroken as error:
        raise AttemptFailed(EndReason.DATA_SOURCE, error.message) from None
    except GridloomError as error:
        raise AttemptFailed(EndReason.RUNNER_FAILED, error.message) from None
    return source.model_copy(update={"params": params})


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
