"""What clients asked before, so that asking twice does nothing twice."""

from sqlalchemy import Column, ForeignKey, String, Table

from storage.columns import Instant
from storage.tables.base import metadata

idempotency_keys = Table(
    "idempotency_keys",
    metadata,
    Column("owner_id", ForeignKey("accounts.id"), primary_key=True),
    Column("key_hash", String(64), primary_key=True),  # SHA-256 of what the client sent, hex
    Column("request_hash", String(64), nullable=False),  # of the call and its body
    Column("job_id", String(36), nullable=False),  # may not exist yet: the key is taken first
    Column("created_at", Instant, nullable=False, index=True),
)
