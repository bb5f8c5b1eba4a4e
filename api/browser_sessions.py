"""Sign-ins: by password or code, and the cookie by which a browser is known on the sign-in pages alone.

The cookie lets nobody call an API: those take the Authorization header only, so no other page can make calls with it.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from fastapi import Request, Response
from sqlalchemy import Connection

from api import passwords
from api.context import Context
from api.tokens import hash_key
from gridloom.errors import BadInput, Unauthorized
from gridloom.ids import new_token
from storage.columns import AnyRow
from storage.repositories import accounts, sessions
from storage.repositories.accounts import Account

COOKIE = "gridloom_session"
CLIENT = "browser"
LIFE = timedelta(hours=12)
PATH = "/v1/auth"
_REFUSAL = "the e-mail, the password or the code is wrong"


@dataclass(frozen=True, slots=True, kw_only=True)
class BrowserSession:
    """A new session; the secret is the cookie's value."""

    id: str
    account_id: str
    secret: str


def check(context: Context, email: str, password: str, code: str) -> Account:
    """Return the account that these belong to; where both are given, both must be right.

    Raises:
        BadInput: when neither password nor code is given.
        Unauthorized: when they are wrong, which looks the same and takes as long for unknown accounts.
    """
    if not password and not code:
        raise BadInput("give a password or an otp, a code that POST /otp sends", field="password")
    with context.database.read() as connection:
        account = accounts.by_email(connection, email)
    kept = account.password_hash if account is not None else None
    right = not password or passwords.matches(kept, password)
    if code:
        right = context.codes.take(email, "login", code) and right
    if not right or account is None or account.disabled_at is not None:
        raise Unauthorized(_REFUSAL)
    if code:
        context.writer.run(lambda it: accounts.prove_email(it, account.id, keep_credentials=bool(password)))
    return account


def begin(context: Context, account_id: str) -> BrowserSession:
    """Start a session of a browser."""
    secret = new_token("gls")

    def create(connection: Connection) -> str:
        return sessions.create(
            connection,
            account_id,
            client=CLIENT,
            secret_hash=hash_key(secret),
            expires_at=datetime.now(UTC) + LIFE,
        )

    return BrowserSession(id=context.writer.run(create), account_id=account_id, secret=secret)


def of_request(context: Context, request: Request) -> AnyRow | None:
    """Return the good session that the request's cookie names: its `id`, `account_id` and `user_name`."""
    secret = request.cookies.get(COOKIE, "")
    if not secret:
        return None
    with context.database.read() as connection:
        return sessions.by_secret(connection, CLIENT, hash_key(secret))


def set_cookie(request: Request, response: Response, session: BrowserSession) -> None:
    """Make the browser send the session's cookie to the sign-in pages."""
    response.set_cookie(
        COOKIE,
        session.secret,
        max_age=int(LIFE.total_seconds()),
        path=PATH,
        httponly=True,
        samesite="lax",
        secure=is_secure(request),
    )


def is_secure(request: Request) -> bool:
    """Tell whether cookies of this request's answer may be kept to HTTPS."""
    public_url: str = request.app.state.context.settings.public_url
    return (public_url or str(request.url)).startswith("https:")
