"""What workers say of themselves in Prometheus' text format, kept so that every control plane can pass it on."""

from sqlalchemy import Connection, select

from storage.columns import AnyRow, db_after
from storage.repositories.workers import LIVE
from storage.tables import worker_metrics, workers
from storage.upsert import insert_into


def put(connection: Connection, worker_id: str, text: str) -> None:
    """Keep a worker's metrics in the place of its earlier ones."""
    new = insert_into(connection, worker_metrics).values(worker_id=worker_id, text=text)
    connection.execute(new.on_conflict_do_update(index_elements=["worker_id"], set_={"text": text}))


def of_live(connection: Connection, within_s: float) -> list[AnyRow]:
    """Return (name, text) of the live workers heard of within that time, by name."""
    found = connection.execute(
        select(workers.c.name, worker_metrics.c.text)
        .join_from(workers, worker_metrics)
        .where(workers.c.state == LIVE, workers.c.seen_at > db_after(-within_s))
        .order_by(workers.c.name)
    )
    return list(found.all())
