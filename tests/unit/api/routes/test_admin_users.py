import pytest

PATH = "/v1/admin/users"
CALLS = [
    ("GET", PATH),
    ("POST", PATH),
    ("GET", f"{PATH}/x"),
    ("PATCH", f"{PATH}/x"),
    ("POST", f"{PATH}/x/disable"),
    ("POST", f"{PATH}/x/enable"),
    ("POST", f"{PATH}/x/keys"),
]


def signed_in(client, api_key):
    token = client.post("/v1/auth/access_token", json={"apiKey": api_key}).json()["token"]
    return {"Authorization": token}


@pytest.fixture
def eve(admin):
    """Return the answer that made an account with a key."""
    body = {"userName": "eve", "email": "Eve@example.test", "issueKey": True, "password": "correct horse"}
    return admin.post(PATH, json=body).json()


@pytest.mark.parametrize(("method", "path"), CALLS)
def test_only_admins_get_in(ada, anonymous, method, path):
    assert ada.request(method, path, json={"userName": "x"}).status_code == 403
    assert anonymous.request(method, path, json={"userName": "x"}).status_code == 401


def test_an_admin_makes_an_account_with_a_key_that_is_shown_once(admin, anonymous, eve):
    user = eve["user"]
    assert (user["userName"], user["email"], user["role"]) == ("eve", "eve@example.test", "ROLE_USER")
    assert user["emailVerified"]
    assert anonymous.get("/v1/auth/user", headers=signed_in(anonymous, eve["apiKey"])).json()["user"] == user
    assert eve["apiKey"] not in admin.get(f"{PATH}/{user['id']}").text
    body = {"email": "eve@example.test", "password": "correct horse"}
    assert anonymous.post("/v1/auth/signin", json=body).status_code == 200


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"userName": "admin"},
        {"userName": "a/b"},
        {"email": "x"},
        {"userName": "x", "role": "god"},
        {"userName": "x", "password": "short"},
    ],
)
def test_an_account_that_cant_be_is_refused(admin, body):
    assert admin.post(PATH, json=body).status_code == 400


def test_accounts_are_listed_in_pages(admin, eve):
    body = admin.get(f"{PATH}?orderBy=userName asc&pagination.limit=1").json()
    assert [it["userName"] for it in body["users"]] == ["admin"]
    assert body["pagination"] == {"total": 2, "offset": 0, "hasPrevious": False, "hasNext": True}
    assert admin.get(f"{PATH}?orderBy=passwordHash").status_code == 400


def test_a_disabled_account_is_out_at_once_until_it_is_enabled(admin, anonymous, eve):
    headers, path = signed_in(anonymous, eve["apiKey"]), f"{PATH}/{eve['user']['id']}"
    assert anonymous.get("/v1/auth/info", headers=headers).status_code == 200
    assert admin.post(f"{path}/disable").json()["user"]["disabled"]
    assert anonymous.get("/v1/auth/info", headers=headers).status_code == 401
    assert anonymous.post("/v1/auth/access_token", json={"apiKey": eve["apiKey"]}).status_code == 401
    assert not admin.post(f"{path}/enable").json()["user"]["disabled"]
    assert anonymous.get("/v1/auth/info", headers=headers).status_code == 200


def test_an_account_becomes_an_admin_and_back(admin, anonymous, eve):
    headers, path = signed_in(anonymous, eve["apiKey"]), f"{PATH}/{eve['user']['id']}"
    assert admin.request("PATCH", path, json={"role": "admin"}).json()["user"]["role"] == "ROLE_ADMIN"
    assert anonymous.get(PATH, headers=headers).status_code == 200
    assert admin.request("PATCH", path, json={"role": "user", "disabled": True}).json()["user"]["disabled"]
    admin.request("PATCH", path, json={"disabled": False})
    assert anonymous.get(PATH, headers=headers).status_code == 403


def test_an_admin_cant_lock_themselves_out(admin):
    own = admin.get("/v1/auth/user").json()["user"]["id"]
    assert admin.post(f"{PATH}/{own}/disable").status_code == 400
    assert admin.request("PATCH", f"{PATH}/{own}", json={"role": "user"}).status_code == 400
    assert admin.get(PATH).status_code == 200


@pytest.mark.parametrize("body", [{"json": {"name": "new laptop"}}, {"content": b""}])
def test_an_admin_gives_an_account_another_key(admin, anonymous, eve, body):
    answer = admin.post(f"{PATH}/{eve['user']['id']}/keys", **body).json()
    assert answer["key"]["userId"] == eve["user"]["id"]
    assert anonymous.get("/v1/auth/info", headers=signed_in(anonymous, answer["apiKey"])).status_code == 200


def test_an_unknown_account_is_not_found(admin):
    for method, path in CALLS[2:]:
        assert admin.request(method, path, json={"role": "user"}).status_code == 404, path
