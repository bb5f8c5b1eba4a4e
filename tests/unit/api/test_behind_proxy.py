import httpx
import pytest
from anyio import run
from starlette.responses import PlainTextResponse

from api.behind_proxy import BehindProxy


async def shown(scope, receive, send):
    await PlainTextResponse(f"{scope['client'][0]} {scope['scheme']}")(scope, receive, send)


@pytest.mark.parametrize(
    ("headers", "seen"),
    [
        ([], "127.0.0.1 http"),
        ([("X-Forwarded-For", "203.0.113.9"), ("X-Forwarded-Proto", "https")], "203.0.113.9 https"),
        ([("X-Forwarded-For", "1.2.3.4, 203.0.113.9")], "203.0.113.9 http"),
        ([("X-Forwarded-For", "1.2.3.4"), ("X-Forwarded-For", "2001:db8::1")], "2001:db8::1 http"),
        ([("X-Forwarded-For", "unknown"), ("X-Forwarded-Proto", "gopher")], "127.0.0.1 http"),
    ],
)
def test_the_address_that_the_proxy_itself_wrote_counts(headers, seen):
    async def call():
        transport = httpx.ASGITransport(app=BehindProxy(shown))
        async with httpx.AsyncClient(transport=transport, base_url="http://fabric.test") as http:
            return (await http.get("/", headers=headers)).text

    assert run(call) == seen


@pytest.mark.parametrize("settings", [{"sign_in_limit": "2/hour", "behind_proxy": True}], indirect=True)
def test_who_guesses_is_the_same_whatever_the_client_writes_before_it(anonymous):
    statuses = [
        anonymous.post(
            "/v1/auth/access_token",
            json={"apiKey": "glk_guess"},
            headers={"X-Forwarded-For": f"198.51.100.{number}, 203.0.113.9"},
        ).status_code
        for number in range(3)
    ]
    assert statuses == [401, 401, 429]
