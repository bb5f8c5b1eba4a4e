"""Tests of `gridloom key`."""

import json

PATH = "/v1/auth/api_keys"
MADE = {"apiKey": "glk_new", "key": {"id": "k1", "fingerprint": "abcd", "expiresAt": "2027-01-31T00:00:00Z"}}
NEEDS_CODE = (400, {"message": "give the code", "details": [{"fieldViolations": [{"field": "otp"}]}]})


def test_a_new_key_is_printed_with_its_fingerprint(fabric, gridloom):
    fabric.answers["POST", PATH] = MADE
    code, out, _ = gridloom("key", "create", "nightly", "--expires", "2027-01-31")
    assert (code, out) == (0, "glk_new\nfingerprint abcd, expires 2027-01-31 00:00:00\n")
    assert fabric.bodies("POST", PATH) == [
        {"name": "nightly", "otp": "", "expiresAt": "2027-01-31T00:00:00+00:00"}
    ]


def test_without_a_terminal_a_code_is_sent_and_asked_for(fabric, gridloom):
    fabric.answers["POST", PATH] = [NEEDS_CODE, MADE]
    fabric.answers["GET", "/v1/auth/user"] = {"user": {"email": "ada@example.org"}}
    fabric.answers["POST", "/v1/auth/otp"] = {"ok": True}
    code, out, err = gridloom("key", "create", "nightly")
    assert (code, out) == (2, "")
    assert "sent to ada@example.org; repeat this command with --code" in err
    assert fabric.bodies("POST", "/v1/auth/otp") == [{"email": "ada@example.org", "purpose": "api_key"}]
    assert gridloom("key", "create", "nightly", "--code", "123456")[0] == 0
    assert fabric.bodies("POST", PATH)[-1]["otp"] == "123456"


def test_at_a_terminal_the_code_is_typed(fabric, gridloom, monkeypatch):
    fabric.answers["POST", PATH] = [NEEDS_CODE, MADE]
    fabric.answers["GET", "/v1/auth/user"] = {"user": {"email": "ada@example.org"}}
    fabric.answers["POST", "/v1/auth/otp"] = {"ok": True}
    monkeypatch.setattr("cli.mailed_codes.ask", lambda *_, **__: "654321")
    assert gridloom("key", "create", "nightly", at_terminal=True)[0] == 0
    assert fabric.bodies("POST", PATH)[-1]["otp"] == "654321"


def test_another_refusal_is_told(fabric, gridloom):
    fabric.answers["POST", PATH] = (400, {"message": "too many keys"})
    assert gridloom("key", "create", "nightly")[2] == "error: too many keys\n"


def test_keys_are_listed_and_revoked(fabric, gridloom):
    fabric.answers["GET", PATH] = {"apiKeys": [{"id": "k1", "name": "nightly", "revoked": True}]}
    fabric.answers["POST", f"{PATH}/k1/revoke"] = {"ok": True}
    out = gridloom("key", "list")[1]
    assert out.splitlines()[1].split() == ["k1", "nightly", "revoked"]
    assert json.loads(gridloom("key", "list", "--json")[1])["apiKeys"][0]["id"] == "k1"
    assert gridloom("key", "revoke", "k1")[0] == 2
    assert gridloom("key", "revoke", "k1", "--yes")[1] == "API key k1 revoked\n"
