"""What users upload: components and templates."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    String,
    Table,
    text,
)

from storage.columns import Instant
from storage.tables.base import Json, metadata

components = Table(
    "components",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("owner_id", ForeignKey("accounts.id")),  # null: built in
    Column("kind", String(12), nullable=False),  # app, partitioner, assembler
    Column("name", String(64), nullable=False),
    Column("major", Integer, nullable=False),
    Column("minor", Integer, nullable=False),
    Column("active", Boolean, nullable=False),
    Column("is_public", Boolean, nullable=False, server_default=text("false")),
    Column(
        "passthrough", Boolean, nullable=False, server_default=text("false")
    ),  # built in; never starts a process
    Column("revision", Integer, nullable=False),
    Column("manifest", Json, nullable=False),  # gridloom.manifests.Manifest as JSON
    Column("schema", Json),  # schema.json of the package
    Column(
        "sealed_token", LargeBinary
    ),  # envelope of the registry's token, which the manifest's JSON leaves out
    Column("token_master_id", String(16)),
    Column("archive_key", String(1024), nullable=False),
    Column("digest", String(44), nullable=False),  # SHA-256 of the uploaded archive, base64
    Column("created_at", Instant, nullable=False),
    Column("updated_at", Instant, nullable=False),
    Column("deleted_at", Instant),
    Index("ix_components_lookup", "name", "kind", "owner_id"),
    # A deleted one stays for the jobs that were planned with it, and its name is free again.
    Index(
        "ix_components_identity",
        "owner_id",
        "kind",
        "name",
        "major",
        "minor",
        unique=True,
        sqlite_where=text("deleted_at IS NULL"),
        postgresql_where=text("deleted_at IS NULL"),
    ),
)

templates = Table(
    "templates",
    metadata,
    Column("owner_id", ForeignKey("accounts.id"), primary_key=True),
    Column("id", String(200), primary_key=True),
    Column("body", Json, nullable=False),  # gridloom.templates.Template as JSON
    Column("is_public", Boolean, nullable=False, server_default=text("false")),
    Column("created_at", Instant, nullable=False),
    Column("updated_at", Instant, nullable=False),
)

cache_files = Table(
    "cache_files",  # what users uploaded for their tasks' cache folders; what tasks write there stays on its machine
    metadata,
    Column("scope", String(36), primary_key=True),  # an account's id, or `shared`
    Column("path", String(1024), primary_key=True),
    Column("size", BigInteger, nullable=False),
    Column("sha256", String(64), nullable=False),
    Column("key", String(1024), nullable=False),
    Column("updated_at", Instant, nullable=False),
)

stale_blobs = Table(
    "stale_blobs",  # archives and cache files that no row names: bytes on their way in, or to be removed
    metadata,
    Column("key", String(1024), primary_key=True),
    Column("due_at", Instant, nullable=False, index=True),  # to be removed then, unless it is named by then
    Column("taken", Boolean, nullable=False, server_default=text("false")),  # is being removed
)

cache_scopes = Table(
    "cache_scopes",
    metadata,
    Column("scope", String(36), primary_key=True),
    Column("version", BigInteger, nullable=False),  # grows with every change of the scope's files
)
