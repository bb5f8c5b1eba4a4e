import pytest

from storage.repositories import accounts

PATH = "/v1/auth/user"


def user(client):
    return client.get(PATH).json()["user"]


def test_a_profile_has_every_published_member(ada):
    assert user(ada).keys() == {
        *("id", "createdAt", "lastLogin", "displayName", "email", "settings", "photoUrl", "providerId"),
        *("emailVerified", "customClaims", "role", "firstName", "lastName", "contactInfo", "disabled"),
        *("isOnboarded", "onboardingInfo", "userName", "phoneNumber"),
    }
    assert (user(ada)["userName"], user(ada)["role"]) == ("ada", "ROLE_USER")


def test_the_first_account_is_an_admin(admin):
    assert (user(admin)["role"], user(admin)["customClaims"]) == ("ROLE_ADMIN", {"role": "admin"})


def test_what_is_given_changes_and_the_rest_stays(ada):
    ada.request("PATCH", PATH, json={"firstName": "Ada", "contact_info": {"company": "AE", "city": "London"}})
    answer = ada.request(
        "PATCH", PATH, json={"lastName": "Lovelace", "contactInfo": {"city": "Paris"}, "unknown": 1}
    )
    body = answer.json()["user"]
    assert body == user(ada)
    assert (body["firstName"], body["lastName"], body["displayName"]) == ("Ada", "Lovelace", "Ada Lovelace")
    assert (body["contactInfo"]["company"], body["contactInfo"]["city"]) == ("AE", "Paris")
    assert not body["isOnboarded"]
    assert ada.request("PATCH", PATH, json={}).json()["user"] == body


def test_onboarding_is_done_when_it_is_answered(ada):
    steps = [{"step": 1, "answer": {"use": "rendering"}}]
    body = ada.request("PATCH", PATH, json={"onboardingInfo": steps}).json()["user"]
    assert (body["isOnboarded"], body["onboardingInfo"]) == (True, steps)
    long = [{"step": 1, "answer": {"use": "x" * 20_000}}]
    assert ada.request("PATCH", PATH, json={"onboardingInfo": long}).status_code == 400


@pytest.mark.parametrize(("method", "path"), [("PATCH", PATH), ("POST", f"{PATH}/username")])
def test_a_user_name_is_changed_and_stays_unique(ada, bob, method, path):
    assert ada.request(method, path, json={"userName": "Ada.L"}).json()["user"]["userName"] == "Ada.L"
    assert ada.request(method, path, json={"userName": "ADA.l"}).status_code == 200
    for taken in ("Bob", "gridloom", "admin", "a/b", ""):
        answer = ada.request(method, path, json={"userName": taken})
        assert answer.status_code == 400
        assert answer.json()["details"][0]["fieldViolations"][0]["field"] == "userName"
    assert user(ada)["userName"] == "ADA.l"


def test_a_race_for_a_user_name_is_lost_with_the_same_answer(ada, bob, monkeypatch):
    monkeypatch.setattr(accounts, "name_taken", lambda *_, **__: False)
    assert ada.request("PATCH", PATH, json={"userName": "bob"}).status_code == 400


@pytest.mark.parametrize(
    "member", ["role", "id", "email", "emailVerified", "disabled", "customClaims", "isOnboarded", "weight"]
)
def test_what_a_user_may_not_set_is_left_alone(ada, member):
    before = user(ada)
    values = {"customClaims": {"role": "admin"}, "role": "admin", "weight": 99}
    assert ada.request("PATCH", PATH, json={member: values.get(member, True)}).status_code == 200
    assert user(ada) == before


@pytest.mark.parametrize(
    "body", [{"firstName": "x" * 101}, {"contactInfo": {"zip": "x" * 21}}, {"firstName": 5}, []]
)
def test_a_body_that_does_not_fit_is_refused(ada, body):
    assert ada.request("PATCH", PATH, json=body).status_code == 400
