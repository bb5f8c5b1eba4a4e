"""Tests of `gridloom admin user` and `gridloom admin audit`."""

import json

import pytest

ADA = {"id": "9e3f72f8-d180-4c1c-be40-4c5c00adce5b", "userName": "ada", "email": "ada@example.org"}
USERS = "/v1/admin/users"


@pytest.fixture(autouse=True)
def known(fabric):
    fabric.answers["GET", USERS] = {"users": [ADA], "pagination": {"total": 1, "hasNext": False}}
    fabric.answers["PATCH", f"{USERS}/{ADA['id']}"] = {"user": ADA}


def test_an_account_is_made_with_a_key_that_is_shown_once(fabric, gridloom):
    fabric.answers["POST", USERS] = {"user": ADA, "apiKey": "glk_first"}
    code, out, _ = gridloom(
        "admin", "user", "add", "ada", "--email", "ada@example.org", "--with-password", stdin="long enough\n"
    )
    assert code == 0
    assert "apiKey    glk_first" in out
    assert fabric.bodies("POST", USERS) == [
        {
            "role": "user",
            "issueKey": True,
            "userName": "ada",
            "email": "ada@example.org",
            "password": "long enough",
        }
    ]
    gridloom("admin", "user", "add", "ada", "--no-key", "--role", "admin")
    assert fabric.bodies("POST", USERS)[1] == {"role": "admin", "issueKey": False, "userName": "ada"}


def test_accounts_are_listed(gridloom):
    assert "ada   ada@example.org" in gridloom("admin", "user", "list")[1]
    assert json.loads(gridloom("admin", "user", "list", "--json")[1])["users"] == [ADA]


@pytest.mark.parametrize("who", ["ada", "Ada@Example.org", ADA["id"]])
def test_an_account_is_stopped_by_name_mail_or_id(fabric, gridloom, who):
    assert gridloom("admin", "user", "disable", who)[0] == 2
    assert gridloom("admin", "user", "disable", who, "--yes")[1] == f"{who} disabled\n"
    assert gridloom("admin", "user", "enable", who)[1] == f"{who} enabled\n"
    assert fabric.bodies("PATCH", f"{USERS}/{ADA['id']}") == [{"disabled": True}, {"disabled": False}]


def test_nobody_of_that_name_is_told(gridloom):
    assert gridloom("admin", "user", "enable", "bob") == (1, "", "error: there is no user bob\n")


def test_accounts_are_looked_for_on_every_page(fabric, gridloom):
    more = {"users": [{"id": "1", "userName": "eve"}], "pagination": {"total": 2, "hasNext": True}}
    fabric.answers["GET", USERS] = [more, {"users": [ADA]}]
    assert gridloom("admin", "user", "enable", "ada")[0] == 0


def test_a_key_is_made_for_an_account(fabric, gridloom):
    fabric.answers["POST", f"{USERS}/{ADA['id']}/keys"] = {"apiKey": "glk_other", "key": {}}
    assert gridloom("admin", "user", "key", "ada", "--name", "nightly")[1] == "glk_other\n"
    assert fabric.bodies("POST", f"{USERS}/{ADA['id']}/keys") == [{"name": "nightly"}]


def test_the_audit_log_is_filtered_by_user(fabric, gridloom):
    entry = {"id": "1", "at": "2026-01-02T03:04:05Z", "userName": "ada", "method": "POST", "status": 200}
    fabric.answers["GET", "/v1/admin/audit"] = {"data": [entry | {"route": "/v1/x", "resource": {"id": "7"}}]}
    out = gridloom("admin", "audit", "--user", "ada", "--route", "/v1/x")[1]
    assert 'ada   POST    /v1/x  {"id": "7"}  200' in out
    assert f"accountId={ADA['id']}&route=%2Fv1%2Fx" in fabric.queries[-1]
