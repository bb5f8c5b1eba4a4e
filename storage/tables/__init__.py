"""Every table of the fabric, by topic. What a column means that its name doesn't say stands beside it.

Migrations under `storage/migrations` create and change them; a test compares the two.
"""

from storage.tables.accounts import (
    accounts,
    api_keys,
    audit_log,
    contact_messages,
    ended_tokens,
    inline_credentials,
    oauth_codes,
    one_time_codes,
    secrets,
    sessions,
)
from storage.tables.base import metadata
from storage.tables.components import cache_files, cache_scopes, components, stale_blobs, templates
from storage.tables.jobs import attempts, image_pins, jobs, log_segments, outputs, reusable_results, tasks
from storage.tables.requests import idempotency_keys
from storage.tables.wallet import balances, coupons, entries, reservations, transactions
from storage.tables.workers import locks, worker_metrics, workers

__all__ = [
    "accounts",
    "api_keys",
    "attempts",
    "audit_log",
    "balances",
    "cache_files",
    "cache_scopes",
    "components",
    "contact_messages",
    "coupons",
    "ended_tokens",
    "entries",
    "idempotency_keys",
    "image_pins",
    "inline_credentials",
    "jobs",
    "locks",
    "log_segments",
    "metadata",
    "oauth_codes",
    "one_time_codes",
    "outputs",
    "reservations",
    "reusable_results",
    "secrets",
    "sessions",
    "stale_blobs",
    "tasks",
    "templates",
    "transactions",
    "worker_metrics",
    "workers",
]
