"""Puts the control plane together: what it holds open, and which routes lie where.

| prefix                          | routers                                                          |
|---------------------------------|------------------------------------------------------------------|
| /                               | health, metrics, uploads, downloads                              |
| /v1/auth                        | auth, account_keys, sign_in, oauth, oidc, users, secrets         |
| /v1/dev                         | apps, engines, templates, cache                                  |
| /v1/customer = /v1/computing    | jobs, job_edits, deliveries, results, logs, sources, events,     |
|                                 | stats, contact                                                   |
| /v1/wallet                      | wallet                                                           |
| /v1/admin                       | admin_*: for accounts with the role admin                        |
| /internal/v1                    | the workers' API                                                 |
"""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import anyio.to_thread
from fastapi import FastAPI
from fastapi.middleware.cors import CORSMiddleware
from fastapi.routing import APIRoute

from api import bootstrap, errors
from api.audit import AuditTrail
from api.behind_proxy import BehindProxy
from api.codes import CodeDesk
from api.context import Context
from api.event_hub import EventHub
from api.limiter import Limiter
from api.mail import Mailer
from api.protobuf import ProtobufAnswers
from api.route_index import RouteIndex
from api.routes import (
    account_keys,
    admin_audit,
    admin_secrets,
    admin_users,
    admin_wallet,
    apps,
    auth,
    cache,
    contact,
    deliveries,
    downloads,
    engines,
    estimation,
    events,
    health,
    internal,
    internal_cache,
    internal_reuse,
    job_edits,
    job_lists,
    jobs,
    logs,
    meta,
    metrics,
    oauth,
    oidc,
    results,
    secrets,
    sign_in,
    sources,
    stats,
    templates,
    uploads,
    users,
    wallet,
)
from api.shares import Turns
from api.sign_in_guard import SignInGuard
from api.tokens import TokenGate, derive_key
from api.worker_gate import WorkerGate
from broker.event_stream import EventPublisher, EventReader
from broker.wakeup import Wakeup
from gridloom.settings import Settings
from gridloom.version import VERSION
from storage import migrate
from storage.db import Database
from storage.group_commit import GroupCommitter
from storage.links import LinkSigner
from storage.stores import open_store
from storage.vault import Vault

_MIB = 1024 * 1024


def public_apis() -> dict[str, meta.PublicApi]:
    """Return every public API by its prefix."""
    # Fixed segments come first: /jobs/estimation/{id} before /jobs/{id}/results, /jobs/datasource/info before an id.
    customer = meta.PublicApi(
        "Customer API",
        (
            sources.router,
            stats.router,
            estimation.router,
            job_lists.router,
            jobs.router,
            job_edits.router,
            deliveries.router,
            results.router,
            logs.router,
            events.router,
            contact.router,
        ),
    )
    return {
        "/v1/auth": meta.PublicApi(
            "Authentication API",
            (
                auth.router,
                account_keys.router,
                sign_in.router,
                oauth.router,
                oidc.router,
                users.router,
                secrets.router,
            ),
        ),
        "/v1/dev": meta.PublicApi(
            "Developer API", (apps.router, engines.router, templates.router, cache.router)
        ),
        "/v1/customer": customer,
        "/v1/computing": customer,
        "/v1/wallet": meta.PublicApi("Wallet API", (wallet.router,)),
        "/v1/admin": meta.PublicApi(
            "Administration API",
            (admin_users.router, admin_wallet.router, admin_secrets.router, admin_audit.router),
        ),
    }


def create_app(settings: Settings, context: Context | None = None) -> FastAPI:
    """Build the control plane; what it holds open is opened at its start unless given, and closed at its end."""
    app = FastAPI(
        title="Gridloom",
        version=VERSION,
        lifespan=_lifespan,
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        strict_content_type=False,  # old clients send JSON without saying so
        max_body_size=settings.max_body_mib * _MIB,
    )
    app.state.settings, app.state.context = settings, context
    app.state.call_limiter = Limiter("GRIDLOOM_RATE_LIMIT", settings.rate_limit)
    app.state.turns = Turns()
    app.add_middleware(AuditTrail)
    app.add_middleware(ProtobufAnswers)
    app.add_middleware(SignInGuard, limiter=Limiter("GRIDLOOM_SIGN_IN_LIMIT", settings.sign_in_limit))
    errors.install(app)
    app.add_middleware(
        CORSMiddleware,
        allow_origins=[it.strip() for it in settings.cors_origins.split(",") if it.strip()],
        allow_methods=["*"],
        allow_headers=["*"],
        expose_headers=["*"],
    )
    if settings.behind_proxy:
        app.add_middleware(BehindProxy)
    app.router.routes.append(RouteIndex(_routes()))
    app.include_router(health.router)
    app.include_router(metrics.router)
    app.include_router(uploads.router)
    app.include_router(downloads.router)
    return app


def _routes() -> Iterator[tuple[str, APIRoute]]:
    """Yield the routes of the public APIs and of the workers', each with its prefix."""
    by_prefix = {
        prefix: (*api.routers, meta.info_router, meta.docs_router(prefix, api))
        for prefix, api in public_apis().items()
    }
    for prefix, routers in (
        by_prefix | {"": (internal.router, internal_cache.router, internal_reuse.router)}
    ).items():
        for router in routers:
            for route in router.routes:
                assert isinstance(route, APIRoute)
                yield prefix, route


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    context: Context = app.state.context or await anyio.to_thread.run_sync(open_context, app.state.settings)
    app.state.context = context
    app.state.gate = TokenGate(context.database, context.settings.secret_key.get_secret_value())
    app.state.worker_gate = WorkerGate(context.database, context.settings.join_token.get_secret_value())
    events_hub = EventHub(context.database, EventReader(context.settings.broker_url), app.state.gate)
    app.state.events = events_hub
    try:
        async with events_hub.running():
            yield
    finally:
        await anyio.to_thread.run_sync(close_context, context)


def open_context(settings: Settings) -> Context:
    """Open database and store, bring the tables up to date, and put in place what a first start needs.

    Raises:
        SetupFailed: when a URL is not supported, the secret is too short, or the master keys can't be read.
    """
    mailer, secret = Mailer(settings), settings.secret_key.get_secret_value()
    publisher = EventPublisher(settings.broker_url)
    database = Database(settings.database_url, publisher.publish)
    migrate.upgrade(database)
    writer = GroupCommitter(database)
    context = Context(
        settings=settings,
        database=database,
        writer=writer,
        store=open_store(settings),
        links=LinkSigner(derive_key(secret, "gridloom link")),
        vault=Vault(settings.master_key.get_secret_value(), settings.master_key_file),
        wakeup=Wakeup(settings.broker_url),
        publisher=publisher,
        codes=CodeDesk(database, writer, mailer, derive_key(secret, "gridloom one-time code")),
    )
    bootstrap.first_account(context)
    bootstrap.builtin_engines(context)
    return context


def close_context(context: Context) -> None:
    """Finish the waiting writes and close the database."""
    context.codes.mailer.close()
    context.writer.close()
    context.publisher.close()
    context.wakeup.close()
    context.database.close()
