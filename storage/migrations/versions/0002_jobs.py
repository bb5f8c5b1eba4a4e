"""Tables of jobs and all that belongs to one."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

from storage.columns import Instant

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_JSON = sa.JSON().with_variant(JSONB(), "postgresql")


def upgrade() -> None:
    """Make the tables."""
    for create in (
        _create_jobs,
        _create_attempts,
        _create_image_pins,
        _create_log_segments,
        _create_outputs,
        _create_reusable_results,
        _create_tasks,
        _index_jobs,
    ):
        create()


def downgrade() -> None:
    """Drop the tables."""
    for table in (
        "tasks",
        "reusable_results",
        "outputs",
        "log_segments",
        "image_pins",
        "attempts",
        "jobs",
    ):
        op.drop_table(table)


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


def _create_reusable_results() -> None:
    op.create_table(
        "reusable_results",
        sa.Column("owner_id", sa.String(length=36), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("submitted_at", Instant(), nullable=False),
        sa.Column("job_id", sa.String(length=36), nullable=False),
        sa.Column("chunk", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"], name=op.f("fk_reusable_results_job_id")),
        sa.PrimaryKeyConstraint(
            "owner_id", "sha256", "submitted_at", "job_id", name=op.f("pk_reusable_results")
        ),
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
        sa.Column("chunk_etag", sa.String(length=200), nullable=True),
        sa.Column("results", _JSON, nullable=True),
        sa.Column("cpu_s", sa.Float(), nullable=True),
        sa.Column("peak_memory_mib", sa.Float(), nullable=True),
        sa.Column("price", sa.BigInteger(), nullable=True),
        sa.Column("spent", _JSON, nullable=True),
        sa.Column("reuse", _JSON, nullable=True),
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


def _index_jobs() -> None:
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
