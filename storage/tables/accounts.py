"""Who may do what: accounts, their keys, sessions, codes and secrets, and what was done."""

from sqlalchemy import (
    Boolean,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    String,
    Table,
    Text,
    UniqueConstraint,
    text,
)

from storage.columns import Instant
from storage.tables.base import BigId, Json, metadata

accounts = Table(
    "accounts",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("user_name", String(64), nullable=False),
    Column("email", String(254), unique=True),  # in lower case
    Column("email_verified", Boolean, nullable=False, server_default=text("false")),
    Column("password_hash", String(200)),  # argon2id
    Column("provider", String(200), nullable=False, server_default=""),  # OIDC issuer, and the subject there
    Column("subject", String(255)),
    Column("role", String(10), nullable=False, server_default="user"),  # user, admin
    Column("first_name", String(100), nullable=False, server_default=""),
    Column("last_name", String(100), nullable=False, server_default=""),
    Column("contact_info", Json, nullable=False, server_default="{}"),
    Column("onboarding_info", Json, nullable=False, server_default="[]"),
    Column("is_onboarded", Boolean, nullable=False, server_default=text("false")),
    Column("settings", Json, nullable=False, server_default="{}"),
    Column("last_login_at", Instant),
    Column("disabled_at", Instant),
    Column("weight", Float, nullable=False, server_default="1"),  # share of the machines among owners
    Column("created_at", Instant, nullable=False),
    Column("deleted_at", Instant),
    UniqueConstraint("provider", "subject"),
    Index("ix_accounts_user_name", text("lower(user_name)"), unique=True),
)

api_keys = Table(
    "api_keys",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("account_id", ForeignKey("accounts.id"), nullable=False, index=True),
    Column("name", String(200), nullable=False),
    Column("key_hash", String(64), nullable=False, unique=True),  # SHA-256 of a 288-bit random key, hex
    Column("fingerprint", String(64), nullable=False, server_default=""),
    Column("created_at", Instant, nullable=False),
    Column("expires_at", Instant),
    Column("revoked_at", Instant),
)

ended_tokens = Table(
    "ended_tokens",  # access tokens that were signed out before they expired
    metadata,
    Column("id", String(36), primary_key=True),  # the token's jti
    Column("expires_at", Instant, nullable=False, index=True),
)

sessions = Table(
    "sessions",  # sign-ins without an API key: by password, code, OIDC, or the CLI's OAuth
    metadata,
    Column("id", String(36), primary_key=True),
    Column("account_id", ForeignKey("accounts.id"), nullable=False, index=True),
    Column("client", String(100), nullable=False),
    Column("refresh_hash", String(64), unique=True),  # SHA-256 of the one refresh token that is good, hex
    Column("created_at", Instant, nullable=False),
    Column("expires_at", Instant, nullable=False),
    Column("revoked_at", Instant),
)

one_time_codes = Table(
    "one_time_codes",  # e-mailed confirmation codes; a newer one replaces the older
    metadata,
    Column("email", String(254), primary_key=True),
    Column("purpose", String(10), primary_key=True),  # login, api_key, password
    Column("code_hash", String(64), nullable=False),
    Column("tries", Integer, nullable=False, server_default="0"),
    Column("created_at", Instant, nullable=False),
    Column("expires_at", Instant, nullable=False),
)

oauth_codes = Table(
    "oauth_codes",  # authorization codes, each good once, and device codes that wait for their user
    metadata,
    Column("code_hash", String(64), primary_key=True),
    Column("kind", String(10), nullable=False),  # code, device
    Column("client_id", String(100), nullable=False),
    Column("user_code", String(20), unique=True),  # device
    Column("account_id", ForeignKey("accounts.id")),  # null: not yet approved
    Column("redirect_uri", String(2000), nullable=False, server_default=""),
    Column("challenge", String(128), nullable=False, server_default=""),  # PKCE, S256
    Column("denied", Boolean, nullable=False, server_default=text("false")),
    Column("used_at", Instant),
    Column("session_id", String(36)),  # the session that it was exchanged for
    Column("polled_at", Instant),
    Column("created_at", Instant, nullable=False),
    Column("expires_at", Instant, nullable=False),
)

secrets = Table(
    "secrets",
    metadata,
    Column("owner_id", ForeignKey("accounts.id"), primary_key=True),
    Column("secret_type", String(10), primary_key=True),  # aws (also s3), gcp, storj, other
    Column("id", String(100), primary_key=True),
    Column("given_type", String(10), nullable=False),  # the same as its owner wrote it
    Column("name", String(200), nullable=False, server_default=""),
    Column("access_key", Text, nullable=False, server_default=""),
    Column("params", Json, nullable=False),
    Column("version", Integer, nullable=False),  # counts replacements; part of the associated data
    Column(
        "sealed", LargeBinary, nullable=False
    ),  # envelope: the secret key under a data key under a master key
    Column("master_id", String(16), nullable=False),
    Column("expires_at", Instant),
    Column("created_at", Instant, nullable=False),
    Column("updated_at", Instant, nullable=False),
)

inline_credentials = Table(
    "inline_credentials",  # what a job's or template's params for where data comes from and goes to leave out
    metadata,
    Column("owner_id", ForeignKey("accounts.id"), primary_key=True),
    Column("holder", String(10), primary_key=True),  # job, template
    Column("holder_id", String(200), primary_key=True),
    Column("place", String(20), primary_key=True),  # data_source, data_destination
    Column("sealed", LargeBinary, nullable=False),  # envelope of the secrets and their paths in the params
    Column("master_id", String(16), nullable=False),
)

audit_log = Table(
    "audit_log",  # append-only: triggers refuse UPDATE and DELETE
    metadata,
    Column("id", BigId, primary_key=True, autoincrement=True),
    Column("at", Instant, nullable=False),
    Column("account_id", String(36)),  # null: nobody was signed in
    Column("credential_id", String(36)),  # API key or session
    Column("address", String(64), nullable=False),
    Column("request_id", String(64), nullable=False),
    Column("method", String(10), nullable=False),
    Column("route", String(200), nullable=False),  # with the names of its parameters
    Column("resource", Json, nullable=False),  # those parameters
    Column("status", Integer, nullable=False),
    Index("ix_audit_log_account", "account_id", "id"),
)

contact_messages = Table(
    "contact_messages",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("account_id", ForeignKey("accounts.id"), nullable=False),
    Column("email", String(254), nullable=False),
    Column("summary", Text, nullable=False),
    Column("description", Text, nullable=False),
    Column("created_at", Instant, nullable=False),
)
