"""The machines, and who leads the schedulers."""

from sqlalchemy import Column, Float, ForeignKey, Integer, String, Table, Text

from storage.columns import Instant
from storage.tables.base import Json, metadata

workers = Table(
    "workers",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("name", String(200), nullable=False, index=True),
    Column("incarnation", String(64), nullable=False),
    Column("token_hash", String(64), nullable=False, unique=True),
    Column("state", String(10), nullable=False),  # live, gone
    Column("host", String(255), nullable=False),
    Column("runner", String(32), nullable=False),
    Column("isolation", String(64), nullable=False),
    Column("version", String(32), nullable=False),
    Column("slots", Integer, nullable=False),
    Column("cores", Float, nullable=False),
    Column("memory_mib", Integer, nullable=False),
    Column("gpus", Json, nullable=False),
    Column("started_at", Instant, nullable=False),
    Column("seen_at", Instant, nullable=False),
)

worker_metrics = Table(
    "worker_metrics",  # apart from workers, whose rows are read every round
    metadata,
    Column("worker_id", ForeignKey("workers.id"), primary_key=True),
    Column("text", Text, nullable=False),  # Prometheus text format, as the worker sent it
)

locks = Table(
    "locks",  # leadership by lease
    metadata,
    Column("name", String(64), primary_key=True),
    Column("holder", String(64), nullable=False),
    Column("until", Instant, nullable=False),
)
