"""The tables of the first version."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

from storage.columns import Instant

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_JSON = sa.JSON().with_variant(JSONB(), "postgresql")
_TABLES = (
    "accounts",
    "locks",
    "workers",
    "worker_metrics",
    "api_keys",
    "components",
    "jobs",
    "templates",
    "attempts",
    "image_pins",
    "log_segments",
    "outputs",
    "tasks",
)


def upgrade() -> None:
    """Make every table."""
    for create in (
        _create_accounts,
        _create_locks,
        _create_workers,
        _create_worker_metrics,
        _create_api_keys,
        _create_components,
        _create_jobs,
        _create_templates,
        _create_attempts,
        _create_image_pins,
        _create_log_segments,
        _create_outputs,
        _create_tasks,
    ):
        create()


def downgrade() -> None:
    """Drop every table."""
    for table in reversed(_TABLES):
        op.drop_table(table)


def _create_accounts() -> None:
    op.create_table(
        "accounts",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("user_name", sa.String(length=64), nullable=False),
        sa.Column("email", sa.String(length=254), nullable=True),
        sa.Column("email_verified", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("password_hash", sa.String(length=200), nullable=True),
        sa.Column("provider", sa.String(length=200), server_default="", nullable=False),
        sa.Column("subject", sa.String(length=255), nullable=True),
        sa.Column("role", sa.String(length=10), server_default="user", nullable=False),
        sa.Column("first_name", sa.String(length=100), server_default="", nullable=False),
        sa.Column("last_name", sa.String(length=100), server_default="", nullable=False),
        sa.Column("contact_info", _JSON, server_default="{}", nullable=False),
        sa.Column("onboarding_info", _JSON, server_default="[]", nullable=False),
        sa.Column("is_onboarded", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("settings", _JSON, server_default="{}", nullable=False),
        sa.Column("last_login_at", Instant(), nullable=True),
        sa.Column("disabled_at", Instant(), nullable=True),
        sa.Column("weight", sa.Float(), server_default="1", nullable=False),
        sa.Column("created_at", Instant(), nullable=False),
        sa.Column("deleted_at", Instant(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_accounts")),
        sa.UniqueConstraint("email", name=op.f("uq_accounts_email")),
        sa.UniqueConstraint("provider", "subject", name=op.f("uq_accounts_provider_subject")),
        sa.UniqueConstraint("user_name", name=op.f("uq_accounts_user_name")),
    )


def _create_locks() -> None:
    op.create_table(
        "locks",
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("holder", sa.String(length=64), nullable=False),
        sa.Column("until", Instant(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_locks")),
    )


def _create_workers() -> None:
    op.create_table(
        "workers",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("incarnation", sa.String(length=64), nullable=False),
        sa.Column("token_hash", sa.String(length=64), nullable=False),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("host", sa.String(length=255), nullable=False),
        sa.Column("runner", sa.String(length=32), nullable=False),
        sa.Column("isolation", sa.String(length=64), nullable=False),
        sa.Column("version", sa.String(length=32), nullable=False),
        sa.Column("slots", sa.Integer(), nullable=False),
        sa.Column("cores", sa.Float(), nullable=False),
        sa.Column("memory_mib", sa.Integer(), nullable=False),
        sa.Column("gpus", _JSON, nullable=False),
        sa.Column("started_at", Instant(), nullable=False),
        sa.Column("seen_at", Instant(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_workers")),
        sa.UniqueConstraint("token_hash", name=op.f("uq_workers_token_hash")),
    )
    op.create_index(op.f("ix_workers_name"), "workers", ["name"], unique=False)


def _create_worker_metrics() -> None:
    op.create_table(
        "worker_metrics",
        sa.Column("worker_id", sa.String(length=64), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["worker_id"], ["workers.id"], name=op.f("fk_worker_metrics_worker_id")),
        sa.PrimaryKeyConstraint("worker_id", name=op.f("pk_worker_metrics")),
    )


def _create_api_keys() -> None:
    op.create_table(
        "api_keys",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("account_id", sa.String(length=36), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("key_hash", sa.String(length=64), nullable=False),
        sa.Column("fingerprint", sa.String(length=64), server_default="", nullable=False),
        sa.Column("created_at", Instant(), nullable=False),
        sa.Column("expires_at", Instant(), nullable=True),
        sa.Column("revoked_at", Instant(), nullable=True),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name=op.f("fk_api_keys_account_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_api_keys")),
        sa.UniqueConstraint("key_hash", name=op.f("uq_api_keys_key_hash")),
    )
    op.create_index(op.f("ix_api_keys_account_id"), "api_keys", ["account_id"], unique=False)


def _create_components() -> None:
    op.create_table(
        "components",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("owner_id", sa.String(length=36), nullable=True),
        sa.Column("kind", sa.String(length=12), nullable=False),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("major", sa.Integer(), nullable=False),
        sa.Column("minor", sa.Integer(), nullable=False),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.Column("is_public", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("passthrough", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("manifest", _JSON, nullable=False),
        sa.Column("schema", _JSON, nullable=True),
        sa.Column("sealed_token", sa.LargeBinary(), nullable=True),
        sa.Column("token_master_id", sa.String(length=16), nullable=True),
        sa.Column("archive_key", sa.String(length=1024), nullable=False),
        sa.Column("digest", sa.String(length=44), nullable=False),
        sa.Column("created_at", Instant(), nullable=False),
        sa.Column("updated_at", Instant(), nullable=False),
        sa.Column("deleted_at", Instant(), nullable=True),
        sa.ForeignKeyConstraint(["owner_id"], ["accounts.id"], name=op.f("fk_components_owner_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_components")),
    )
    op.create_index(
        "ix_components_identity",
        "components",
        ["owner_id", "kind", "name", "major", "minor"],
        unique=True,
        sqlite_where=sa.text("deleted_at IS NULL"),
        postgresql_where=sa.text("deleted_at IS NULL"),
    )
    op.create_index("ix_components_lookup", "components", ["name", "kind", "owner_id"], unique=False)


def _create_jobs() -> None:
    op.create_table(
        "jobs",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("owner_id", sa.String(length=36), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("description", sa.Text(), server_default="", nullable=False),
        sa.Column("template_id", sa.String(length=200), server_default="", nullable=False),
        sa.Column("template_info", _JSON, nullable=True),
        sa.Column("app_tag", sa.String(length=200), nullable=False),
        sa.Column("partitioner_tag", sa.String(length=200), nullable=False),
        sa.Column("assembler_tag", sa.String(length=200), nullable=False),
        sa.Column("params", _JSON, nullable=False),
        sa.Column("data_source", _JSON, nullable=True),
        sa.Column("data_destination", _JSON, nullable=True),
        sa.Column("config", _JSON, nullable=False),
        sa.Column("priority", sa.Integer(), server_default="0", nullable=False),
        sa.Column("start_at", Instant(), nullable=True),
        sa.Column("regions", _JSON, nullable=True),
        sa.Column("upload", _JSON, nullable=True),
        sa.Column("plan", _JSON, nullable=True),
        sa.Column("state", sa.String(length=32), nullable=False),
        sa.Column("state_times", _JSON, nullable=False),
        sa.Column("end_reason", sa.String(length=32), nullable=True),
        sa.Column("error_message", sa.Text(), server_default="", nullable=False),
        sa.Column("warning", sa.Text(), server_default="", nullable=False),
        sa.Column("trouble", sa.Text(), server_default="", nullable=False),
        sa.Column("chunks", sa.Integer(), server_default="0", nullable=False),
        sa.Column("completed", sa.Integer(), server_default="0", nullable=False),
        sa.Column("busy_s", sa.Float(), server_default="0", nullable=False),
        sa.Column("price", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("spent", _JSON, nullable=True),
        sa.Column("total", sa.Integer(), nullable=True),
        sa.Column("output_epoch", sa.Integer(), nullable=True),
        sa.Column("output_cursor", sa.Integer(), server_default="0", nullable=False),
        sa.Column("output_expires_at", Instant(), nullable=True),
        sa.Column("created_at", Instant(), nullable=False),
        sa.Column("submitted_at", Instant(), nullable=True),
        sa.Column("started_at", Instant(), nullable=True),
        sa.Column("ended_at", Instant(), nullable=True),
        sa.Column("deadline_at", Instant(), nullable=True),
        sa.Column("deleted_at", Instant(), nullable=True),
        sa.Column("purged_at", Instant(), nullable=True),
        sa.ForeignKeyConstraint(["owner_id"], ["accounts.id"], name=op.f("fk_jobs_owner_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_jobs")),
    )
    for columns in (
        (
            "created_at",
            "id",
            "state",
            "name",
            "template_id",
            "submitted_at",
            "started_at",
            "ended_at",
            "deleted_at",
        ),
        ("submitted_at", "created_at", "id"),
        ("started_at", "created_at", "id"),
        ("ended_at", "created_at", "id"),
        ("name", "created_at", "id"),
        ("state", "created_at", "id"),
        ("chunks", "created_at", "id"),
    ):
        op.create_index(
            f"ix_jobs_by_{columns[0]}",
            "jobs",
            ["owner_id", *columns],
            unique=False,
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )
    op.create_index("ix_jobs_state", "jobs", ["state"], unique=False)


def _create_templates() -> None:
    op.create_table(
        "templates",
        sa.Column("owner_id", sa.String(length=36), nullable=False),
        sa.Column("id", sa.String(length=200), nullable=False),
        sa.Column("body", _JSON, nullable=False),
        sa.Column("is_public", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("created_at", Instant(), nullable=False),
        sa.Column("updated_at", Instant(), nullable=False),
        sa.ForeignKeyConstraint(["owner_id"], ["accounts.id"], name=op.f("fk_templates_owner_id")),
        sa.PrimaryKeyConstraint("owner_id", "id", name=op.f("pk_templates")),
    )


def _create_attempts() -> None:
    op.create_table(
        "attempts",
        sa.Column("job_id", sa.String(length=36), nullable=False),
        sa.Column("stage", sa.String(length=10), nullable=False),
        sa.Column("chunk", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("attempt", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("worker_id", sa.String(length=64), nullable=True),
        sa.Column("received_at", Instant(), nullable=True),
        sa.Column("started_at", Instant(), nullable=True),
        sa.Column("ended_at", Instant(), nullable=True),
        sa.Column("reason", sa.String(length=32), nullable=True),
        sa.Column("exit_code", sa.Integer(), nullable=True),
        sa.Column("message", sa.Text(), nullable=True),
        sa.Column("spent", _JSON, nullable=True),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"], name=op.f("fk_attempts_job_id")),
        sa.PrimaryKeyConstraint("job_id", "stage", "chunk", "attempt", name=op.f("pk_attempts")),
    )


def _create_image_pins() -> None:
    op.create_table(
        "image_pins",
        sa.Column("job_id", sa.String(length=36), nullable=False),
        sa.Column("image", sa.String(length=500), nullable=False),
        sa.Column("digest", sa.String(length=600), nullable=False),
        sa.Column("created_at", Instant(), nullable=False),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"], name=op.f("fk_image_pins_job_id")),
        sa.PrimaryKeyConstraint("job_id", "image", name=op.f("pk_image_pins")),
    )


def _create_log_segments() -> None:
    op.create_table(
        "log_segments",
        sa.Column(
            "id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False
        ),
        sa.Column("job_id", sa.String(length=36), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("first_line", sa.BigInteger(), nullable=False),
        sa.Column("stage", sa.String(length=10), nullable=False),
        sa.Column("first_chunk", sa.Integer(), nullable=False),
        sa.Column("last_chunk", sa.Integer(), nullable=False),
        sa.Column("lines", sa.Integer(), nullable=False),
        sa.Column("levels", sa.Integer(), nullable=False),
        sa.Column("first_at", sa.BigInteger(), nullable=False),
        sa.Column("last_at", sa.BigInteger(), nullable=False),
        sa.Column("key", sa.String(length=1024), nullable=False),
        sa.Column("offset", sa.BigInteger(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("texts_size", sa.BigInteger(), nullable=False),
        sa.Column("ends_run", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("created_at", Instant(), nullable=False),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"], name=op.f("fk_log_segments_job_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_log_segments")),
    )
    op.create_index("ix_log_segments_job", "log_segments", ["job_id", "first_line"], unique=True)
    op.create_index(
        "ix_log_segments_runs",
        "log_segments",
        ["id"],
        unique=False,
        sqlite_where=sa.text("ends_run = 1"),
        postgresql_where=sa.text("ends_run"),
    )


def _create_outputs() -> None:
    op.create_table(
        "outputs",
        sa.Column("job_id", sa.String(length=36), nullable=False),
        sa.Column("epoch", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("path", sa.String(length=4096), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("key", sa.String(length=1024), nullable=False),
        sa.Column("offset", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"], name=op.f("fk_outputs_job_id")),
        sa.PrimaryKeyConstraint("job_id", "epoch", "path", name=op.f("pk_outputs")),
        sqlite_with_rowid=False,
    )


def _create_tasks() -> None:
    op.create_table(
        "tasks",
        sa.Column("job_id", sa.String(length=36), nullable=False),
        sa.Column("stage", sa.String(length=10), nullable=False),
        sa.Column("chunk", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("attempt", sa.Integer(), server_default="0", nullable=False),
        sa.Column("worker_id", sa.String(length=64), nullable=True),
        sa.Column("lease_until", Instant(), nullable=True),
        sa.Column("not_before", Instant(), nullable=True),
        sa.Column("hinted_at", Instant(), nullable=True),
        sa.Column("created_at", Instant(), nullable=False),
        sa.Column("received_at", Instant(), nullable=True),
        sa.Column("started_at", Instant(), nullable=True),
        sa.Column("ended_at", Instant(), nullable=True),
        sa.Column("user_failures", sa.Integer(), server_default="0", nullable=False),
        sa.Column("infra_failures", sa.Integer(), server_default="0", nullable=False),
        sa.Column("kills", sa.Integer(), server_default="0", nullable=False),
        sa.Column("reason", sa.String(length=32), nullable=True),
        sa.Column("exit_code", sa.Integer(), nullable=True),
        sa.Column("message", sa.Text(), nullable=True),
        sa.Column("chunk_key", sa.String(length=1024), nullable=True),
        sa.Column("chunk_offset", sa.BigInteger(), nullable=True),
        sa.Column("chunk_size", sa.BigInteger(), nullable=True),
        sa.Column("chunk_sha256", sa.String(length=64), nullable=True),
        sa.Column("results", _JSON, nullable=True),
        sa.Column("cpu_s", sa.Float(), nullable=True),
        sa.Column("peak_memory_mib", sa.Float(), nullable=True),
        sa.Column("price", sa.BigInteger(), nullable=True),
        sa.Column("spent", _JSON, nullable=True),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"], name=op.f("fk_tasks_job_id")),
        sa.PrimaryKeyConstraint("job_id", "stage", "chunk", name=op.f("pk_tasks")),
        sqlite_with_rowid=False,
    )
    op.create_index(
        "ix_tasks_lease",
        "tasks",
        ["lease_until"],
        unique=False,
        sqlite_where=sa.text("state IN ('Received', 'Running')"),
        postgresql_where=sa.text("state IN ('Received', 'Running')"),
    )
    op.create_index(
        "ix_tasks_todo",
        "tasks",
        ["job_id", "stage", "state", "chunk", "not_before", "infra_failures"],
        unique=False,
    )
