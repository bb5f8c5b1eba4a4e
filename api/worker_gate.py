"""Tells which worker makes a call: the join token lets one register, its own token does everything else."""

import hmac
import time
from typing import Annotated

from fastapi import Depends, Header, Request

from gridloom.errors import Unauthorized
from storage.db import Database
from storage.repositories import workers

_REMEMBER_S = 5.0  #: how long a retired worker's token may go unnoticed


class WorkerGate:
    """Remembers tokens for a few seconds, so that a heartbeat costs no query for the token alone."""

    def __init__(self, database: Database, join_token: str) -> None:
        self._database = database
        self._join_token = join_token
        self._known: dict[str, tuple[float, str]] = {}

    def check_join(self, authorization: str) -> None:
        """Check a join token.

        Raises:
            Unauthorized: when it is not this fabric's.
        """
        if not self._join_token or not hmac.compare_digest(
            _bearer(authorization).encode(), self._join_token.encode()
        ):
            raise Unauthorized("the join token is not this fabric's: check GRIDLOOM_JOIN_TOKEN")

    def worker(self, authorization: str) -> str:
        """Return the id of the live worker whose token this is.

        Raises:
            Unauthorized: when there is none; the worker must register again.
        """
        hashed = workers.token_hash(_bearer(authorization))
        until, worker_id = self._known.get(hashed, (0.0, ""))
        if time.monotonic() < until:
            return worker_id
        with self._database.read() as connection:
            found = workers.by_token(connection, hashed)
        if found is None:
            self._known.pop(hashed, None)
            raise Unauthorized("this worker is not registered, or was replaced by a newer start")
        self._known[hashed] = (time.monotonic() + _REMEMBER_S, found)
        return found


def _bearer(authorization: str) -> str:
    return authorization.removeprefix("Bearer ").strip()


def _join(request: Request, authorization: Annotated[str, Header()] = "") -> None:
    gate: WorkerGate = request.app.state.worker_gate
    gate.check_join(authorization)


def _worker(request: Request, authorization: Annotated[str, Header()] = "") -> str:
    gate: WorkerGate = request.app.state.worker_gate
    return gate.worker(authorization)


JoinDep = Depends(_join)
AnyWorkerDep = Depends(_worker)
WorkerDep = Annotated[str, Depends(_worker)]
