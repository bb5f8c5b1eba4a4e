"""Tests of changes that a code confirms, by the example of a password; keys have their own."""

import pytest

USER = "/v1/auth/user"


def needs(field):
    return (400, {"message": "give it", "details": [{"fieldViolations": [{"field": field}]}]})


@pytest.fixture(autouse=True)
def mails(fabric):
    fabric.answers["GET", USER] = {"user": {"email": "ada@example.org"}}
    fabric.answers["POST", "/v1/auth/otp"] = {"ok": True}


@pytest.mark.parametrize("field", ["otp", "currentPassword"])
def test_a_code_is_sent_and_the_command_to_be_repeated(fabric, gridloom, field):
    fabric.answers["PATCH", USER] = [needs(field), {"user": {"id": "1"}}]
    code, out, err = gridloom("auth", "password", stdin="a new long one\n")
    assert (code, out) == (2, "")
    assert "--code" in err
    assert fabric.bodies("POST", "/v1/auth/otp") == [{"email": "ada@example.org", "purpose": "password"}]
    assert gridloom("auth", "password", "--code", "123456", stdin="a new long one\n")[1] == (
        "the password is set\n"
    )
    assert fabric.bodies("PATCH", USER)[1] == {"password": "a new long one", "otp": "123456"}


def test_the_present_password_confirms_too(fabric, gridloom, tmp_path):
    fabric.answers["PATCH", USER] = {"user": {"id": "1"}}
    (tmp_path / "new").write_text("a new long one\n")
    (tmp_path / "old").write_text("the old one\n")
    files = ("--password-file", tmp_path / "new", "--current-password-file", tmp_path / "old")
    assert gridloom("auth", "password", *files)[0] == 0
    assert fabric.bodies("PATCH", USER) == [{"password": "a new long one", "currentPassword": "the old one"}]


def test_a_code_that_is_refused_is_told(fabric, gridloom):
    fabric.answers["PATCH", USER] = needs("otp")
    assert gridloom("auth", "password", "--code", "1", stdin="x\n")[2] == "error: otp: give it\n"
    assert fabric.bodies("POST", "/v1/auth/otp") == []
