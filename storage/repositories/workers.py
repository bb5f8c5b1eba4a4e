"""Rows of workers: who is connected, what they have, whose token is whose."""

import hashlib
from collections.abc import Collection, Sequence

from sqlalchemy import Connection, bindparam, delete, insert, select, update

from gridloom.devices import Capacity
from gridloom.wire import RegisterRequest
from storage.columns import AnyRow, db_after, db_now
from storage.tables import locks, worker_metrics, workers
from storage.upsert import insert_into

LIVE, GONE = "live", "gone"

# Asked with every bundle: building a statement costs more than running it.
_CAPACITY = select(workers.c.cores, workers.c.memory_mib, workers.c.gpus).where(
    workers.c.id == bindparam("worker_id")
)


def token_hash(token: str) -> str:
    """Return what is stored of a worker's token; it is 288 random bits, so a plain SHA-256 is enough."""
    return hashlib.sha256(token.encode()).hexdigest()


def register(connection: Connection, worker_id: str, token: str, request: RegisterRequest) -> list[str]:
    """Insert a worker and retire earlier incarnations of the same name; return the ids of those."""
    retired = connection.execute(
        update(workers)
        .where(workers.c.name == request.name, workers.c.state == LIVE)
        .values(state=GONE)
        .returning(workers.c.id)
    )
    gone = [row.id for row in retired]
    if gone:
        connection.execute(delete(worker_metrics).where(worker_metrics.c.worker_id.in_(gone)))
    connection.execute(
        insert(workers).values(
            id=worker_id,
            name=request.name,
            incarnation=request.incarnation,
            token_hash=token_hash(token),
            state=LIVE,
            host=request.host,
            runner=request.runner,
            isolation=request.isolation,
            version=request.version,
            slots=request.slots,
            cores=request.capacity.cores,
            memory_mib=request.capacity.memory_mib,
            gpus=list(request.capacity.gpus),
            started_at=db_now(),
            seen_at=db_now(),
        )
    )
    return gone


def by_token(connection: Connection, hashed: str) -> str | None:
    """Return the id of the live worker with this token's hash."""
    return connection.execute(
        select(workers.c.id).where(workers.c.token_hash == hashed, workers.c.state == LIVE)
    ).scalar_one_or_none()


def seen(connection: Connection, worker_id: str) -> None:
    """Note that a worker was heard of."""
    connection.execute(update(workers).where(workers.c.id == worker_id).values(seen_at=db_now()))


def live(connection: Connection, within_s: float) -> list[AnyRow]:
    """Return the live workers heard of within that time."""
    found = connection.execute(
        select(workers)
        .where(workers.c.state == LIVE, workers.c.seen_at > db_after(-within_s))
        .order_by(workers.c.id)
    )
    return list(found.all())


def by_ids(connection: Connection, worker_ids: Collection[str]) -> dict[str, AnyRow]:
    """Return workers by id, those that are gone as well."""
    found = connection.execute(select(workers).where(workers.c.id.in_(worker_ids)))
    return {row.id: row for row in found}


def capacity(connection: Connection, worker_id: str) -> Capacity | None:
    """Return what the machine of a worker has, None when there is no such worker."""
    row = connection.execute(_CAPACITY, {"worker_id": worker_id}).first()
    return row and Capacity(cores=row.cores, memory_mib=row.memory_mib, gpus=tuple(row.gpus))


def retire(connection: Connection, worker_ids: Sequence[str]) -> None:
    """Mark workers as gone; their tokens are worthless from then on."""
    connection.execute(update(workers).where(workers.c.id.in_(worker_ids)).values(state=GONE))


def lead(connection: Connection, name: str, holder: str, lease_s: float) -> bool:
    """Take or renew the leadership `name`; False while another holds it."""
    taken = connection.execute(
        update(locks)
        .where(locks.c.name == name, (locks.c.holder == holder) | (locks.c.until < db_now()))
        .values(holder=holder, until=db_after(lease_s))
    )
    if taken.rowcount:
        return True
    first = insert_into(connection, locks).values(name=name, holder=holder, until=db_after(lease_s))
    return connection.execute(first.on_conflict_do_nothing().returning(locks.c.name)).first() is not None
