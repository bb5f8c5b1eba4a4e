"""Tasks that a worker holds and may know nothing of: nobody has renewed their leases for a while."""

from sqlalchemy import Connection, Select, bindparam, select

from storage.columns import AnyRow, db_after
from storage.repositories.tasks import LEASED_AS_TEXT
from storage.tables import tasks


def unrenewed(
    connection: Connection, worker_id: str, *, lease_s: float, for_s: float, lock: bool = False
) -> list[AnyRow]:
    """Return (job_id, stage, chunk, attempt) of a worker's tasks whose leases of `lease_s` were last renewed, or won,
    at least `for_s` ago; locked for this transaction, where the database can, on demand."""
    statement: Select[tuple[str, str, int, int]] = select(
        tasks.c.job_id, tasks.c.stage, tasks.c.chunk, tasks.c.attempt
    ).where(
        tasks.c.state.in_(LEASED_AS_TEXT),
        # A range of the index on leases, which healthy workers keep almost empty.
        tasks.c.lease_until <= db_after(lease_s - for_s),
        tasks.c.worker_id == bindparam("of_worker"),
    )
    statement = statement.order_by(tasks.c.lease_until, tasks.c.chunk)
    found = connection.execute(statement.with_for_update() if lock else statement, {"of_worker": worker_id})
    return list(found.all())
