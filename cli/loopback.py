"""Signs in through the browser of this machine: OAuth2 with PKCE, whose answer comes to a port of ours (RFC 8252)."""

import hashlib
import hmac
import time
import webbrowser
from base64 import urlsafe_b64encode
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from secrets import token_urlsafe
from socketserver import TCPServer
from threading import Thread
from urllib.parse import parse_qs, urlencode, urlsplit

from gridloom.access import CLIENT_ID
from gridloom.errors import ClientError

WITHIN_S = 300.0
_PATH = "/callback"
_PAGE = "<!doctype html><meta charset=utf-8><title>Gridloom</title><p>{text}</p>"


@dataclass(frozen=True, slots=True, kw_only=True)
class Granted:
    """An authorization code, and what it has to be exchanged with."""

    code: str
    verifier: str
    redirect_uri: str


@dataclass(slots=True)
class _Answers:
    """Takes the one redirect that carries our state; whatever else calls is sent away."""

    state: str
    found: dict[str, str] = field(default_factory=dict)

    def take(self, path: str) -> tuple[int, str]:
        """Note a redirect; return the status and the words for the browser."""
        parts = urlsplit(path)
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        ours = hmac.compare_digest(query.get("state", "").encode(), self.state.encode())
        if parts.path != _PATH or not ours or not {"code", "error"} & query.keys():
            return 404, "Nothing is here."
        self.found = query
        if "code" in query:
            return 200, "You are signed in. This page can be closed."
        return 200, "The sign-in was refused. This page can be closed."


def authorize(url: str, note: Callable[[str], None], *, within_s: float = WITHIN_S) -> Granted:
    """Send the user's browser to the fabric and return the code that it comes back with.

    `note` is told the address, for when the browser does not open.

    Raises:
        ClientError: when the sign-in is refused or does not come to an end in time.
    """
    verifier, answers = token_urlsafe(48), _Answers(token_urlsafe(24))
    # An HTTPServer would ask the network what 127.0.0.1 is called.
    with TCPServer(("127.0.0.1", 0), _handler(answers)) as server:
        redirect_uri = f"http://127.0.0.1:{server.server_address[1]}{_PATH}"
        page = f"{url}/v1/auth/oauth2/authorize?{urlencode(_request(verifier, answers.state, redirect_uri))}"
        note(page)
        # Some browsers run in the foreground: they must not keep us from answering them.
        Thread(target=webbrowser.open, args=(page,), daemon=True).start()
        _serve(server, answers, within_s)
    if "code" not in answers.found:
        reason = answers.found.get("error_description") or answers.found.get("error") or "nobody signed in"
        raise ClientError(f"not signed in: {reason}", code=answers.found.get("error", ""))
    return Granted(code=answers.found["code"], verifier=verifier, redirect_uri=redirect_uri)


def has_browser() -> bool:
    """Tell whether there is a browser that can be opened here."""
    try:
        webbrowser.get()
    except webbrowser.Error:
        return False
    return True


def _request(verifier: str, state: str, redirect_uri: str) -> dict[str, str]:
    challenge = urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
    return {
        "response_type": "code",
        "client_id": CLIENT_ID,
        "redirect_uri": redirect_uri,
        "state": state,
        "code_challenge": challenge,
        "code_challenge_method": "S256",
    }


def _serve(server: TCPServer, answers: _Answers, within_s: float) -> None:
    deadline = time.monotonic() + within_s
    while not answers.found and (left := deadline - time.monotonic()) > 0:
        server.timeout = left
        server.handle_request()


def _handler(answers: _Answers) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        timeout = 5  #: seconds; who connects and says nothing must not keep the browser out

        def do_GET(self) -> None:
            """Answer the browser."""
            status, text = answers.take(self.path)
            body = _PAGE.format(text=text).encode()
            self.send_response(status)
            for name, value in (
                ("Content-Type", "text/html; charset=utf-8"),
                ("Content-Length", str(len(body))),
                ("Cache-Control", "no-store"),
                ("Referrer-Policy", "no-referrer"),
            ):
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 (the library's name)
            """Say nothing: the address holds the code."""

    return Handler
