"""Jobs and all that belongs to one: tasks, attempts, images, logs, output."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    String,
    Table,
    Text,
    text,
)

from storage.columns import Instant
from storage.tables.base import BigId, Json, metadata

jobs = Table(
    "jobs",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("owner_id", ForeignKey("accounts.id"), nullable=False),
    Column("name", String(200), nullable=False),
    Column("description", Text, nullable=False, server_default=""),
    Column("template_id", String(200), nullable=False, server_default=""),
    Column("template_info", Json),  # id, owner, description and the three tags, as they were at creation
    Column("app_tag", String(200), nullable=False),
    Column("partitioner_tag", String(200), nullable=False),
    Column("assembler_tag", String(200), nullable=False),
    Column("params", Json, nullable=False),  # {partitioner, app, assembler, …}
    Column("data_source", Json),
    Column("data_destination", Json),
    # {task_timeout_s, job_timeout_s, max_task_retries, is_test_job, reuse}
    Column("config", Json, nullable=False),
    Column("priority", Integer, nullable=False, server_default="0"),
    Column("start_at", Instant),  # run starts nothing before
    Column("regions", Json),  # kept and shown; one fabric has no regions
    Column("upload", Json),  # file source: {key, name, size, sha256, confirmed}
    Column("plan", Json),  # gridloom.plan.JobPlan, frozen by run
    Column("state", String(32), nullable=False),
    Column("state_times", Json, nullable=False),  # state: RFC 3339
    Column("end_reason", String(32)),
    Column("error_message", Text, nullable=False, server_default=""),
    Column("warning", Text, nullable=False, server_default=""),
    # Why attempts are being tried again, until one ends well.
    Column("trouble", Text, nullable=False, server_default=""),
    # For display and bundle sizes only; what may happen next is asked of the tasks' rows.
    Column("chunks", Integer, nullable=False, server_default="0"),
    Column("completed", Integer, nullable=False, server_default="0"),
    # sum of the run times behind the completed tasks' results
    Column("busy_s", Float, nullable=False, server_default="0"),
    Column(
        "price", BigInteger, nullable=False, server_default="0"
    ),  # 1e-8 chips; sum of its app tasks' prices
    Column("spent", Json),  # gridloom.phases.Sums of the completed app tasks
    Column("total", Integer),  # chunks, once the partitioner has ended
    Column("output_epoch", Integer),  # the assemble attempt whose output counts
    Column("output_cursor", Integer, nullable=False, server_default="0"),  # next chunk to list as output
    Column("output_expires_at", Instant),
    Column("created_at", Instant, nullable=False),
    Column("submitted_at", Instant),
    Column("started_at", Instant),
    Column("ended_at", Instant),
    Column("deadline_at", Instant),
    Column("deleted_at", Instant),
    Column("purged_at", Instant),  # its bytes are gone from the store
    # One for each order that lists offer. The first holds all that is often filtered by, so that a search among an
    # owner's jobs, and the count of what it found, read nothing else: see storage/repositories/job_lists.py.
    *(
        Index(
            f"ix_jobs_by_{columns[0]}",
            "owner_id",
            *columns,
            sqlite_where=text("deleted_at IS NULL"),
            postgresql_where=text("deleted_at IS NULL"),
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
        )
    ),
    Index("ix_jobs_state", "state"),
)

tasks = Table(
    "tasks",
    metadata,
    Column("job_id", ForeignKey("jobs.id"), primary_key=True),
    Column("stage", String(10), primary_key=True),
    Column("chunk", Integer, primary_key=True, autoincrement=False),
    Column("state", String(10), nullable=False),
    Column("attempt", Integer, nullable=False, server_default="0"),  # the fencing token
    Column("worker_id", String(64)),
    Column("lease_until", Instant),
    Column("not_before", Instant),
    Column("hinted_at", Instant),
    Column("created_at", Instant, nullable=False),
    Column("received_at", Instant),
    Column("started_at", Instant),
    Column("ended_at", Instant),
    Column("user_failures", Integer, nullable=False, server_default="0"),
    Column("infra_failures", Integer, nullable=False, server_default="0"),
    Column("kills", Integer, nullable=False, server_default="0"),  # workers lost in a row while it ran
    Column("reason", String(32)),
    Column("exit_code", Integer),
    Column("message", Text),
    Column("chunk_key", String(1024)),
    Column("chunk_offset", BigInteger),
    Column("chunk_size", BigInteger),
    Column("chunk_sha256", String(64)),
    Column("chunk_etag", String(200)),  # set when the key is that of an object in the job's source
    Column("results", Json),  # list of [name, size, key, offset]
    Column("cpu_s", Float),
    Column("peak_memory_mib", Float),
    Column("price", BigInteger),  # 1e-8 chips
    Column("spent", Json),  # gridloom.wire.Spent, without what is as usual
    Column("reuse", Json),  # gridloom.reuse.ReuseNote
    # The last two let dispatch read nothing but the index; SQLite would else go through all of a job's tasks.
    Index("ix_tasks_todo", "job_id", "stage", "state", "chunk", "not_before", "infra_failures"),
    Index(
        "ix_tasks_lease",
        "lease_until",
        sqlite_where=text("state IN ('Received', 'Running')"),
        postgresql_where=text("state IN ('Received', 'Running')"),
    ),
    sqlite_with_rowid=False,
)

attempts = Table(
    "attempts",  # attempts that ended without a result and were tried again; the last one is the task's own row
    metadata,
    Column("job_id", ForeignKey("jobs.id"), primary_key=True),
    Column("stage", String(10), primary_key=True),
    Column("chunk", Integer, primary_key=True, autoincrement=False),
    Column("attempt", Integer, primary_key=True, autoincrement=False),
    Column("worker_id", String(64)),
    Column("received_at", Instant),
    Column("started_at", Instant),
    Column("ended_at", Instant),
    Column("reason", String(32)),
    Column("exit_code", Integer),
    Column("message", Text),
    Column("spent", Json),
)

image_pins = Table(
    "image_pins",  # what a job's images were when its first worker looked; all its tasks run just that
    metadata,
    Column("job_id", ForeignKey("jobs.id"), primary_key=True),
    Column("image", String(500), primary_key=True),
    Column("digest", String(600), nullable=False),
    Column("created_at", Instant, nullable=False),
)

log_segments = Table(
    "log_segments",
    metadata,
    Column("id", BigId, primary_key=True, autoincrement=True),
    Column("job_id", ForeignKey("jobs.id"), nullable=False),
    Column(
        "number", Integer, nullable=False
    ),  # of the job's segments as they came; a merged one's is its last part's
    Column("first_line", BigInteger, nullable=False),  # how many lines of the job came before
    Column("stage", String(10), nullable=False),
    Column("first_chunk", Integer, nullable=False),
    Column("last_chunk", Integer, nullable=False),
    Column("lines", Integer, nullable=False),
    Column("levels", Integer, nullable=False),  # bits of gridloom.logs.LEVELS that occur
    Column("first_at", BigInteger, nullable=False),  # microseconds since 1970, by the worker's clock
    Column("last_at", BigInteger, nullable=False),
    Column("key", String(1024), nullable=False),
    Column("offset", BigInteger, nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("texts_size", BigInteger, nullable=False),  # of the frame behind, which is searched
    Column(
        "ends_run", Boolean, nullable=False, server_default=text("false")
    ),  # until the run of segments is merged
    Column("created_at", Instant, nullable=False),
    Index("ix_log_segments_job", "job_id", "first_line", unique=True),
    Index(
        "ix_log_segments_runs",
        "id",
        sqlite_where=text("ends_run = 1"),
        postgresql_where=text("ends_run"),
    ),
)

reusable_results = Table(
    "reusable_results",  # of the same bytes one completed task a job, while its result is kept
    metadata,
    # Together they lead from an owner's bytes to the newest job that has a result of them.
    Column("owner_id", String(36), primary_key=True),
    Column("sha256", String(64), primary_key=True),
    Column("submitted_at", Instant, primary_key=True),
    Column("job_id", ForeignKey("jobs.id"), primary_key=True),
    Column("chunk", Integer, nullable=False),
    sqlite_with_rowid=False,
)

outputs = Table(
    "outputs",
    metadata,
    Column("job_id", ForeignKey("jobs.id"), primary_key=True),
    Column("epoch", Integer, primary_key=True, autoincrement=False),  # the assemble attempt
    Column("path", String(4096), primary_key=True),
    Column("size", BigInteger, nullable=False),
    Column("key", String(1024), nullable=False),
    Column("offset", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)
