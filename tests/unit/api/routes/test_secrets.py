"""/secrets: what goes in, and that the key never comes out."""

from urllib.parse import quote

import pytest

pytestmark = pytest.mark.parametrize("settings", [{"max_secrets": 3}], indirect=True)
WITH_ALL = {
    "id": "s3-secret",
    "secretType": "s3",
    "expiresAt": "2099-01-01T00:00:00Z",
    "accessKey": "AKIAIOSFODNN7EXAMPLE",
    "params": {"endpoint": "https://s3.test"},
    "name": "My bucket",
}


def save(client, secret=None, secret_key="swordfish", **members):
    return client.post(
        "/v1/auth/secrets", json={"secret": secret or WITH_ALL | members, "secretKey": secret_key}
    )


def listed(client, **params):
    answer = client.get("/v1/auth/secrets", params=params)
    assert answer.status_code == 200
    assert "swordfish" not in answer.text
    return answer.json()["secrets"]


def test_a_secret_is_listed_without_its_key(ada, bob):
    answer = save(ada)
    assert answer.status_code == 200
    assert answer.json()["ok"] is True
    assert "swordfish" not in answer.text
    assert listed(ada) == [WITH_ALL]
    assert listed(bob) == []


@pytest.mark.parametrize(
    "never", [{}, {"expiresAt": ""}, {"expiresAt": None, "accessKey": None, "params": None, "name": None}]
)
def test_an_expiry_that_is_left_open_is_never(ada, never):
    least = {"id": "a", "secretType": "gcp"}
    assert save(ada, least | never).status_code == 200
    assert listed(ada) == [least | {"expiresAt": None, "accessKey": "", "params": {}, "name": ""}]


def test_either_spelling_of_members_is_read_and_a_time_without_zone_is_utc(ada):
    given = {"id": "a", "secret_type": "OTHER", "expires_at": "2099-01-01T00:00:00"}
    body = {"secret": given, "secret_key": "swordfish"}
    assert ada.post("/v1/auth/secrets", json=body).status_code == 200
    (found,) = listed(ada)
    assert (found["secretType"], found["expiresAt"]) == ("other", "2099-01-01T00:00:00Z")


def test_aws_and_s3_are_one_type(ada):
    save(ada)
    save(ada, secretType="aws", name="replaced")
    assert [(it["secretType"], it["name"]) for it in listed(ada)] == [("aws", "replaced")]
    assert len(listed(ada, secretType="s3")) == len(listed(ada, secretType="AWS")) == 1
    assert listed(ada, secretType="gcp") == []
    assert ada.request("DELETE", "/v1/auth/secrets/S3/s3-secret").status_code == 200
    assert listed(ada) == []


def test_others_secrets_are_as_if_they_were_not_there(ada, bob):
    save(ada)
    absent = bob.request("DELETE", "/v1/auth/secrets/s3/s3-other")
    theirs = bob.request("DELETE", "/v1/auth/secrets/s3/s3-secret")
    assert absent.status_code == theirs.status_code == 404
    assert theirs.json()["message"].replace("s3-secret", "s3-other") == absent.json()["message"]
    for path in ("nonsense/s3-secret", "s3/" + "x" * 3000):
        assert ada.request("DELETE", f"/v1/auth/secrets/{path}").status_code == 404
    assert len(listed(ada)) == 1


@pytest.mark.parametrize("secret_id", ["a/b", "with blank", "ümlaut", "a%2Fb", "?#"])
def test_an_id_that_needs_escapes_can_be_deleted(ada, secret_id):
    assert save(ada, id=secret_id).status_code == 200
    path = f"/v1/auth/secrets/aws/{quote(secret_id, safe='')}"
    assert ada.request("DELETE", path).status_code == 200


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"id": ""}, "secret.id"),
        ({"id": "x" * 101}, "secret.id"),
        ({"id": "a=b"}, "secret.id"),
        ({"id": "a\nb"}, "secret.id"),
        ({"id": "a\u0000b"}, ""),
        ({"secretType": "azure"}, "secretType"),
        ({"expiresAt": "soon"}, "secret.expiresAt"),
        ({"expiresAt": "0001-01-01T00:00:00+14:00"}, "secret.expiresAt"),
        ({"expiresAt": "9999-12-31T23:59:59-14:00"}, "secret.expiresAt"),
        ({"accessKey": 7}, "secret.accessKey"),
        ({"id": None}, "secret.id"),
        ({"params": {"a": 1}}, "secret.params.a"),
        ({"name": "x" * 201}, "secret.name"),
    ],
)
def test_bad_input_names_the_field_and_not_the_key(ada, change, field):
    answer = save(ada, **change)
    assert answer.status_code == 400
    assert "swordfish" not in answer.text
    assert field in answer.text
    assert listed(ada) == []


@pytest.mark.parametrize("key", ["", None, 7, "x" * 70_000, "swordfish\u0000", {"a": "swordfish"}])
def test_a_key_that_can_not_be_used_is_refused_without_being_quoted(ada, key):
    answer = save(ada, secret_key=key)
    assert answer.status_code == 400
    assert "swordfish" not in answer.text


def test_an_account_keeps_a_bounded_number(ada, bob):
    for number in range(3):
        assert save(ada, id=str(number)).status_code == 200
    assert save(ada, id="4").status_code == 400
    assert save(ada, id="1").status_code == 200
    assert save(bob).status_code == 200


def test_nothing_in_the_database_shows_a_key(ada):
    save(ada, secret_key="a-very-secret-key", id="mine")
    stored = ada.stored()
    assert "mine" in stored
    assert "a-very-secret-key" not in stored
    assert "o" * 32 not in stored
