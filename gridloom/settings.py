"""Settings of every process, read from GRIDLOOM_* variables by the entry points and passed down."""

from decimal import Decimal
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

from gridloom.rates import rate_card

RunnerName = Literal["auto", "docker", "bubblewrap", "process", "mock"]


def _priced(gpu_rates: str) -> str:
    rate_card(gpu_rates)
    return gpu_rates


class Settings(BaseSettings):
    """All knobs; `gridloom up` sets the ones it needs for its children."""

    model_config = SettingsConfigDict(env_prefix="GRIDLOOM_", frozen=True, extra="ignore")

    # Where things are.
    database_url: str = Field("sqlite:///gridloom.db", description="SQLAlchemy URL of SQLite or PostgreSQL")
    broker_url: str = Field(
        "redis://127.0.0.1:6379/0", description="Redis or Valkey: redis://, rediss://, redis+socket://"
    )
    store_url: str = Field(
        "file:objects",
        description="Object store: a folder (file:PATH) or a bucket (s3://BUCKET/PREFIX?endpoint=URL&region=NAME)",
    )
    store_access_key: str = Field(
        "", description="Key of the store's bucket; empty: what AWS's own variables and roles give"
    )
    store_secret_key: SecretStr = Field(SecretStr(""), description="Secret of that key")
    control_url: str = Field("http://127.0.0.1:8080", description="Where workers reach the control plane")
    public_url: str = Field("", description="Base of links given to users; empty: taken from each request")
    scratch_dir: Path = Field(Path("scratch"), description="Where a worker keeps running tasks' folders")

    # Who may do what.
    secret_key: SecretStr = Field(
        SecretStr(""), description="Signs access tokens and links; at least 32 characters"
    )
    join_token: SecretStr = Field(SecretStr(""), description="Lets a worker register")
    bootstrap_file: Path | None = Field(
        None, description="Where the first account's API key is written, once"
    )
    allow_private_hosts: str = Field(
        "", description="Hosts and CIDRs that sources and destinations may reach though private"
    )
    open_signup: bool = Field(False, description="Whether anyone may make an account")
    access_code: SecretStr = Field(
        SecretStr(""), description="With it one may make an account; empty: nobody"
    )
    smtp_url: SecretStr = Field(
        SecretStr(""),
        description="Mail server for codes: smtp://user:password@host:587, smtps://; empty: codes appear in the log, on loopback only",
    )
    mail_from: str = Field("gridloom@localhost", description="Sender of mails")
    oidc_issuer: str = Field("", description="OpenID Connect provider for sign-in; empty: none")
    oidc_client_id: str = Field("", description="This fabric's client id at the provider")
    oidc_client_secret: SecretStr = Field(
        SecretStr(""), description="This fabric's client secret at the provider"
    )
    master_key: SecretStr = Field(
        SecretStr(""),
        description="Keys that secrets are sealed under: id:base64 of 32 bytes, the newest first, commas between",
    )
    master_key_file: Path | None = Field(None, description="File that holds the same instead, one a line")

    # Money.
    credits: Literal["off", "enforce"] = Field(
        "off", description="off: prices are computed, nobody runs out; enforce: a job needs funds to start"
    )
    signup_credits: Decimal = Field(Decimal(0), ge=0, description="ByteChips that a new account gets")
    chip_price: Decimal = Field(Decimal("0.0331"), gt=0, description="Price of a ByteChip in `currency`")
    currency: str = Field("USD", description="Currency of the wallet")
    gpu_rates: Annotated[str, AfterValidator(_priced)] = Field(
        "nvidia a100-sxm4-40gb=30,nvidia geforce rtx 4090=12,tesla t4=8",
        description="ByteChips an hour by GPU model: MODEL=RATE, commas between",
    )
    payment_url: str = Field("", description="Page where users buy ByteChips; empty: ask the operator")

    # Control plane.
    host: str = Field("127.0.0.1", description="Address that the control plane binds to")
    port: int = Field(8080, description="Port that the control plane binds to")
    behind_proxy: bool = Field(
        False, description="A proxy in front ends TLS; its X-Forwarded-* headers count"
    )
    tls_cert: Path | None = Field(
        None, description="Certificate chain, PEM; with tls_key the port speaks HTTPS"
    )
    tls_key: Path | None = Field(None, description="Private key, PEM")
    cors_origins: str = Field("*", description="Origins whose pages may call the APIs, commas between")
    rate_limit: str = Field(
        "5000/second", description="Calls that an account may make of each control plane; empty: no limit"
    )
    sign_in_limit: str = Field(
        "30/minute", description="Failed sign-ins, codes and sign-ups from one address; empty: no limit"
    )
    max_live_jobs: int = Field(1000, description="Jobs of an account that may run at once")
    max_stored_jobs: int = Field(1_000_000, description="Jobs that an account may keep")
    max_components: int = Field(
        10_000, description="Apps and engines, and as many templates, that an account may keep"
    )
    max_secrets: int = Field(1000, description="Secrets that an account may keep")
    max_cache_mib: int = Field(102_400, description="Bytes that an owner's cache may hold by uploads")
    max_body_mib: int = Field(64, description="Largest JSON body")
    max_upload_mib: int = Field(20_480, description="Largest uploaded or fetched source")
    max_chunks: int = Field(1_000_000, description="Most chunks a job may have")
    bucket_hours: float = Field(48, description="How long the temporary bucket keeps a job's output")

    # Leases and budgets.
    lease_s: float = Field(60, description="How long a lease lasts without a heartbeat")
    rehint_s: float = Field(30, description="After how long an unclaimed hint counts as lost")
    infra_retries: int = Field(10, description="Attempts that infrastructure may cost a task")
    poison_kills: int = Field(
        3, description="Lost workers in a row after which a running chunk counts as poison"
    )
    unplaceable_s: float = Field(300, description="How long a job waits for a machine that fits")
    clamp_needs: bool = Field(
        False,
        description="Run tasks that ask for more than any machine has on the largest one, with a warning",
    )
    tick_s: float = Field(1.0, description="How often the scheduler looks without being woken")

    # Worker.
    worker_name: str = Field(
        "", description="Stable name of this worker; empty: from host and scratch folder"
    )
    slots: int = Field(0, description="Tasks of one core at a time; 0: the machine's cores")
    runner: RunnerName = Field("auto", description="How scripts run")
    python: str = Field(
        "", description="Interpreter for .py scripts without containers; empty: this one's base"
    )
    docker_url: str = Field(
        "", description="Docker's or Podman's socket; empty: DOCKER_HOST, else Docker's usual one"
    )
    default_image: str = Field(
        "", description="Image of components that name none; empty: made of the worker's own Python"
    )
    image_budget_mib: int = Field(51_200, description="Disk that pulled images may take")
    egress_network: str = Field(
        "", description="Docker network for tasks that may reach out; empty: one of Gridloom's own"
    )
    drain_s: float = Field(5, description="How long a stopping worker lets running tasks finish")
    pool_budget_mib: int = Field(
        0, ge=0, description="Memory that idle warm slots may keep; 0: a quarter of the machine's"
    )
    shared_cache_dir: Path | None = Field(None, description="Read-only folder that every task sees")
    user_cache_dir: Path | None = Field(None, description="Root of the folders that each owner's tasks share")
    transfers: int = Field(
        16, ge=1, description="Objects, and parts of large ones, that an attempt moves at a time"
    )
    log_cap_kib: int = Field(1024, description="Output kept of one task")
    max_result_mib: int = Field(10_240, description="Most bytes one task may leave as results")
    max_result_files: int = Field(10_000, description="Most files one task may leave as results")

    log_level: str = Field("info", description="debug, info, warning or error")
