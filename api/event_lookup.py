"""What the hub asks the database: whose changed jobs are, and how they look now. Every call blocks."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from sqlalchemy import Row

from broker.event_stream import Entry
from storage.db import Database
from storage.repositories import job_watch

_OWNERS_MAX = 10_000
_LIVE_MAX = 5_000
_RECENT_MAX = 1_000
_RECENT_S = 600.0

JobRow = Row[Any]


class JobLookup:
    """Remembers jobs' owners, which never change."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._owners: dict[str, str] = {}

    def of_entries(
        self, entries: Sequence[Entry], owner_ids: Collection[str]
    ) -> tuple[dict[str, str], dict[str, JobRow]]:
        """Return the owner of each changed job that is one of these owners', and the rows of those that show it."""
        changes = [it.change for it in entries if it.change is not None]
        mine = self._owned({it.job_id for it in changes}, owner_ids)
        shown = {it.job_id for it in changes if (it.shown or it.deleted) and it.job_id in mine}
        if not shown:
            return mine, {}
        with self._database.read() as connection:
            return mine, job_watch.rows(connection, shown)

    def moved(self, owner_ids: Collection[str], known: Mapping[str, JobRow]) -> list[JobRow]:
        """Return these owners' live jobs as they are now, and those of `known` that are live no more."""
        with self._database.read() as connection:
            rows = job_watch.live(connection, owner_ids, _LIVE_MAX)
            ended = known.keys() - {row.id for row in rows}
            return [*rows, *job_watch.rows(connection, ended).values()] if ended else rows

    def recent(self, owner_id: str) -> list[JobRow]:
        """Return an owner's jobs that run, or were made or ended a few minutes ago."""
        with self._database.read() as connection:
            return job_watch.recent(connection, owner_id, _RECENT_S, _RECENT_MAX)

    def _owned(self, job_ids: Collection[str], owner_ids: Collection[str]) -> dict[str, str]:
        known = self._owners
        if missing := [it for it in job_ids if it not in known]:
            if len(known) + len(missing) > _OWNERS_MAX:
                known = self._owners = {it: known[it] for it in job_ids if it in known}
            with self._database.read() as connection:
                known |= job_watch.owners(connection, missing)
        return {it: owner for it in job_ids if (owner := known.get(it)) in owner_ids and owner is not None}
