"""Entry point: `python -P -m api`."""

import signal
import sys

import uvicorn
from sqlalchemy.exc import DBAPIError

from api.app import create_app, open_context
from gridloom.errors import GridloomError, SetupFailed
from gridloom.event_log import configure
from gridloom.net_guard import check_bind
from gridloom.settings import Settings

_SECRET_CHARS = 32
_KEEP_ALIVE_S = 75  #: longer than clients keep an idle connection, so they never write into one that closes
_GRACE_S = 3


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
    uvicorn.run(
        create_app(settings, context),
        host=settings.host,
        port=settings.port,
        http="httptools",
        loop="uvloop",
        ws="none",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=settings.behind_proxy,
        forwarded_allow_ips="*" if settings.behind_proxy else None,
        ssl_certfile=settings.tls_cert,
        ssl_keyfile=settings.tls_key,
        timeout_keep_alive=_KEEP_ALIVE_S,
        timeout_graceful_shutdown=_GRACE_S,
    )
    return 0


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
