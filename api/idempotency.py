"""The Idempotency-Key of calls that make or run jobs: whoever repeats one gets the job of the first."""

import hashlib
import hmac
from typing import Annotated

from fastapi import Depends, Header, Request

from api.deps import CallerDep, context_of
from api.tokens import derive_key
from storage.repositories.idempotency import Asked

_LONGEST_KEY = 255


async def _asked(
    request: Request,
    caller: CallerDep,
    key: Annotated[
        str,
        Header(
            alias="Idempotency-Key",
            max_length=_LONGEST_KEY,
            description="Any text of the client's; the same call under it is answered for a day with the same job",
        ),
    ] = "",
) -> Asked | None:
    if not key:
        return None
    # Two prefixes and two spellings of the address are one call: the function's name and its job say which.
    called = f"{request.scope['endpoint'].__name__} {request.path_params.get('job_id', '')}\n"
    # A body may hold a password, which a plain digest would let whoever has the database guess.
    secret = derive_key(context_of(request).settings.secret_key.get_secret_value(), "gridloom idempotency")
    return Asked(
        owner_id=caller.account_id,
        key_hash=hashlib.sha256(key.encode()).hexdigest(),
        request_hash=hmac.digest(secret, called.encode() + await request.body(), "sha256").hex(),
    )


AskedDep = Annotated[Asked | None, Depends(_asked)]
