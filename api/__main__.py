"""Entry point: `python -P -m api`."""

import gc
import resource
import signal
import socket
import sys

import uvicorn
from fastapi import FastAPI
from sqlalchemy.exc import DBAPIError

from api.app import create_app, open_context
from gridloom.errors import GridloomError, SetupFailed
from gridloom.event_log import configure
from gridloom.net_guard import check_bind
from gridloom.settings import Settings

_SECRET_CHARS = 32
_KEEP_ALIVE_S = 75  #: longer than clients keep an idle connection, so they never write into one that closes
_GRACE_S = 3
_FILES = 16_384  #: each open stream takes one


def main() -> int:
    """Serve the control plane until SIGTERM or SIGINT; return the exit status."""
    settings = Settings()
    configure(settings.log_level)
    try:
        check(settings)
        context = open_context(settings)
    except GridloomError as error:
        return _failed(error.message)
    except DBAPIError as error:
        return _failed(f"GRIDLOOM_DATABASE_URL: the database can't be used: {error.orig}")
    # The server raises what it caught once more when it is done; that must not look like a crash.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda _number, _frame: None)
    app = create_app(settings, context)
    config = uvicorn.Config(
        app,
        host=settings.host,
        port=settings.port,
        http="httptools",
        loop="uvloop",
        ws="none",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        ssl_certfile=settings.tls_cert,
        ssl_keyfile=settings.tls_key,
        timeout_keep_alive=_KEEP_ALIVE_S,
        timeout_graceful_shutdown=_GRACE_S,
    )
    _allow_many_connections()
    server = _Server(config, app)
    gc.collect()
    gc.freeze()  # what is here by now stays, and need not be looked through again while requests come
    server.run()
    gc.freeze()  # or the interpreter takes a second to look at all there is once more before it ends
    return 0 if server.started else 1


class _Server(uvicorn.Server):
    """Ends streams before it waits for answers: they have no end of their own."""

    def __init__(self, config: uvicorn.Config, app: FastAPI) -> None:
        super().__init__(config)
        self._app = app

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stop serving."""
        self._app.state.events.stop()
        await super().shutdown(sockets)


def _allow_many_connections() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < _FILES <= hard or hard == resource.RLIM_INFINITY:
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, _FILES), hard))


def check(settings: Settings) -> None:
    """Refuse settings that would leave the control plane open to anyone.

    Raises:
        SetupFailed: saying which variable to set.
    """
    if len(settings.secret_key.get_secret_value()) < _SECRET_CHARS:
        raise SetupFailed(f"GRIDLOOM_SECRET_KEY must have at least {_SECRET_CHARS} characters")
    if not settings.join_token.get_secret_value():
        raise SetupFailed("GRIDLOOM_JOIN_TOKEN is not set; workers need it to register")
    if bool(settings.tls_cert) != bool(settings.tls_key):
        raise SetupFailed("GRIDLOOM_TLS_CERT and GRIDLOOM_TLS_KEY belong together: set both or none")
    check_bind(settings.host, tls=bool(settings.tls_cert), behind_proxy=settings.behind_proxy)


def _failed(message: str) -> int:
    sys.stderr.write(f"error: {message}\n")
    return 1


if __name__ == "__main__":
    sys.exit(main())
