import anyio
import pytest
from starlette.responses import PlainTextResponse

from api.limiter import Limiter
from api.sign_in_guard import SignInGuard


@pytest.mark.parametrize("settings", [{"sign_in_limit": "3/hour"}], indirect=True)
def test_an_address_that_guesses_keys_has_to_wait(anonymous):
    def guess():
        return anonymous.post("/v1/auth/access_token", json={"apiKey": "glk_guess"})

    assert [guess().status_code for _ in range(4)] == [401, 401, 401, 429]
    assert int(guess().headers["retry-after"]) >= 1
    assert guess().json()["message"].startswith("too many calls")


@pytest.mark.parametrize("settings", [{"sign_in_limit": "3/hour"}], indirect=True)
def test_good_keys_are_exchanged_as_often_as_one_likes(anonymous):
    for number in range(5):
        assert anonymous.new_user(f"user-{number}").get("/v1/customer/jobs").status_code == 200


@pytest.mark.parametrize("settings", [{"sign_in_limit": "2/hour"}], indirect=True)
def test_codes_count_each_time(anonymous):
    codes = [
        anonymous.post("/v1/auth/otp", json={"email": "a@b.example", "purpose": "login"}).status_code
        for _ in range(3)
    ]
    assert codes[2] == 429
    assert 429 not in codes[:2]


def test_a_burst_of_guesses_does_not_slip_past_the_limit():
    anyio.run(burst)


async def burst():
    waiting = anyio.Event()

    async def slow(scope, receive, send):
        await waiting.wait()
        await PlainTextResponse("wrong", 401)(scope, receive, send)

    app = SignInGuard(slow, Limiter("", "30/hour"))
    statuses = []

    async def guess(path):
        scope = {
            "type": "http",
            "method": "POST",
            "path": path,
            "client": ("203.0.113.9", 1),
            "state": {"request_id": ""},
        }

        async def send(message):
            if message["type"] == "http.response.start":
                statuses.append(message["status"])

        await app(scope, None, send)

    async with anyio.create_task_group() as group:
        for _ in range(20):
            group.start_soon(guess, "/v1/auth/signin")
            group.start_soon(guess, "/v1/auth/access_token")
        await anyio.wait_all_tasks_blocked()
        assert statuses == [429] * 12  # keys are too long to guess, so many may be exchanged at once
        waiting.set()
    assert statuses.count(401) == 28
    statuses.clear()
    await guess("/v1/auth/signin")
    assert statuses == [401]


@pytest.mark.parametrize("settings", [{"sign_in_limit": "3/hour"}], indirect=True)
def test_what_a_browser_asks_for_counts_too(anonymous):
    path = "/v1/auth/oidc/callback?code=x&state=y"
    assert [anonymous.get(path).status_code for _ in range(4)] == [404, 404, 404, 404]
    anonymous.context.settings.__dict__["oidc_issuer"] = "https://openid.example"
    assert [anonymous.get(path).status_code for _ in range(4)] == [401, 401, 401, 429]
