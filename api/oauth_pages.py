"""The sign-in pages: HTML without scripts, in which everything from outside is escaped."""

import hashlib
import hmac
from base64 import b64encode
from collections.abc import Mapping
from html import escape
from urllib.parse import quote

from fastapi import Request, Response
from fastapi.responses import HTMLResponse

from api.browser_sessions import PATH, is_secure
from api.context import Context
from api.tokens import derive_key
from gridloom.ids import new_token

_COOKIE = "gridloom_form"
_STYLE = (
    "body{font:16px sans-serif;max-width:24em;margin:4em auto;padding:0 1em}"
    "label{display:block;margin:.8em 0}input{display:block;width:100%;box-sizing:border-box;font:inherit;padding:.4em}"
    "button{font:inherit;padding:.4em 1em;margin:.4em .4em .4em 0}.bad{color:#a00}"
)
_STYLE_HASH = b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()


class Pages:
    """Makes pages for one request; forms carry a token that belongs to the browser's cookie."""

    def __init__(self, context: Context, request: Request, *, leads_to: str = "") -> None:
        """Take the origin that a form's answer may lead to, besides this one."""
        self._request = request
        self._leads_to = leads_to
        self._key = derive_key(context.settings.secret_key.get_secret_value(), "gridloom form")
        self._mark = request.cookies.get(_COOKIE) or new_token("form")
        self._oidc = bool(context.settings.oidc_issuer)

    def refusal(self, form_token: str) -> Response | None:
        """Return a page that refuses a form that was not made for this browser."""
        known = _COOKIE in self._request.cookies
        if known and hmac.compare_digest(form_token.encode(), self._token().encode()):
            return None
        text = "This form is too old, or not from here. Go back, load the page again and retry."
        return self.message("This form can't be taken", text, 403)

    def sign_in(
        self, hidden: Mapping[str, str], again: str, *, notice: str = "", email: str = "", status: int = 200
    ) -> Response:
        """Return the sign-in form; `hidden` members come back, `again` is this page's own path and query."""
        provider = (
            f"<p><a href='{PATH}/oidc/login?next={quote(again, safe='')}'>Sign in with your organisation</a></p>"
            if self._oidc
            else ""
        )
        fields = (
            f"<label>E-mail<input name=email type=email required autofocus value='{escape(email)}'></label>"
            "<label>Password<input name=password type=password autocomplete=current-password></label>"
            "<label>or code<input name=code inputmode=numeric autocomplete=one-time-code></label>"
            "<button name=action value=sign_in>Sign in</button>"
            "<button name=action value=send_code>Send me a code</button>"
        )
        bad = (
            f"<p class={'bad' if status >= 400 else 'note'} role=alert>{escape(notice)}</p>" if notice else ""
        )
        return self._page("Sign in", bad + self._form(hidden, fields) + provider, status)

    def consent(self, hidden: Mapping[str, str], user_name: str, what: str) -> Response:
        """Return the question whether `what` may act as the user."""
        fields = (
            f"<p>Let {escape(what)} act as <b>{escape(user_name)}</b>?</p>"
            "<button name=action value=allow>Allow</button><button name=action value=deny>Deny</button>"
        )
        return self._page("Allow access", self._form(hidden, fields))

    def ask_user_code(self, typed: str, *, notice: str = "", status: int = 200) -> Response:
        """Return the form for the code that a device shows."""
        fields = (
            "<label>The code that your device shows"
            f"<input name=user_code required autofocus autocomplete=off value='{escape(typed)}'></label>"
            "<button name=action value=look>Next</button>"
        )
        bad = f"<p class=bad role=alert>{escape(notice)}</p>" if notice else ""
        return self._page("Sign in a device", bad + self._form({}, fields), status)

    def message(self, title: str, text: str, status: int = 200) -> Response:
        """Return a page that says something."""
        return self._page(title, f"<p>{escape(text)}</p>", status)

    def _form(self, hidden: Mapping[str, str], fields: str) -> str:
        members = "".join(
            f"<input type=hidden name='{escape(name)}' value='{escape(value)}'>"
            for name, value in {**hidden, "form_token": self._token()}.items()
        )
        return f"<form method=post>{members}{fields}</form>"

    def _token(self) -> str:
        return hmac.digest(self._key, self._mark.encode(), "sha256").hex()

    def _page(self, title: str, body: str, status: int = 200) -> Response:
        answer = HTMLResponse(
            "<!doctype html><html lang=en><meta charset=utf-8>"
            "<meta name=viewport content='width=device-width'>"
            f"<title>{escape(title)} · Gridloom</title><style>{_STYLE}</style>"
            f"<h1>{escape(title)}</h1>{body}</html>",
            status,
        )
        answer.headers.update(
            {
                "Content-Security-Policy": (
                    f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; base-uri 'none'; "
                    f"frame-ancestors 'none'; form-action 'self' {self._leads_to}".rstrip()
                ),
                "X-Frame-Options": "DENY",
                "X-Content-Type-Options": "nosniff",
                "Referrer-Policy": "no-referrer",
                "Cache-Control": "no-store",
            }
        )
        answer.set_cookie(
            _COOKIE,
            self._mark,
            path=PATH,
            httponly=True,
            samesite="strict",
            secure=is_secure(self._request),
        )
        return answer
