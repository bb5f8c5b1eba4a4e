"""Files that a job delivered into the temporary bucket."""

from typing import Any

from sqlalchemy import Connection, Row, func, select

from storage.tables import jobs, outputs


def count(connection: Connection, job_id: str, epoch: int) -> int:
    """Count the files of the output that the assemble attempt `epoch` wrote."""
    statement = select(func.count()).where(outputs.c.job_id == job_id, outputs.c.epoch == epoch)
    return connection.execute(statement).scalar_one()


def page(
    connection: Connection, job_id: str, epoch: int, *, limit: int, offset: int = 0, after: str = ""
) -> list[Row[Any]]:
    """Return files in the order of their paths, from the one that follows `after` and `offset` more."""
    statement = (
        select(outputs)
        .where(outputs.c.job_id == job_id, outputs.c.epoch == epoch, outputs.c.path > after)
        .order_by(outputs.c.path)
        .limit(limit)
        .offset(offset)
    )
    return list(connection.execute(statement))


def delivered(connection: Connection, job_id: str, *, limit: int, after: str = "") -> list[Row[Any]]:
    """Return files of the output that counts, in the order of their paths, from the one that follows `after`."""
    epoch = connection.execute(select(jobs.c.output_epoch).where(jobs.c.id == job_id)).scalar()
    return [] if epoch is None else page(connection, job_id, epoch, limit=limit, after=after)


def find(connection: Connection, job_id: str, epoch: int, path: str) -> Row[Any] | None:
    """Return one file, or None."""
    statement = select(outputs).where(
        outputs.c.job_id == job_id, outputs.c.epoch == epoch, outputs.c.path == path
    )
    return connection.execute(statement).first()
