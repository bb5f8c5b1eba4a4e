import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.registration import add_account, read_email, read_user_name, register
from gridloom.errors import BadInput
from storage.repositories import accounts


@pytest.mark.parametrize("name", ["a", "ada", "Ada.L-9_x", "0" * 64])
def test_a_user_name_has_letters_digits_and_three_signs(name):
    assert read_user_name(f" {name} ") == name


@pytest.mark.parametrize("name", ["", ".", "-a", "a/b", "a@1", "a b", "ä", "a\n", "0" * 65])
def test_other_user_names_are_refused(name):
    with pytest.raises(BadInput) as caught:
        read_user_name(f"{name}x/" if name == "a\n" else name)
    assert caught.value.field == "userName"


def test_an_email_is_kept_in_lower_case():
    assert read_email(" Ada+x@Example.TEST ") == "ada+x@example.test"


@pytest.mark.parametrize(
    "email", ["", "ada", "@x.test", "ada@", "a b@x.test", "a@x.test\nBcc: b@x.test", "a\0@x"]
)
def test_what_is_no_email_is_refused(email):
    with pytest.raises(BadInput) as caught:
        read_email(email)
    assert caught.value.field == "email"


@given(st.text())
def test_whatever_passes_as_an_email_can_stand_in_a_mails_head(text):
    try:
        email = read_email(text)
    except BadInput:
        return
    assert email.isascii()
    assert email.isprintable()
    assert " " not in email


def test_a_user_name_is_derived_from_the_email_and_made_free(anonymous):
    names = [
        register(anonymous.context, "", {"email": it}).user_name
        for it in ("ada+1@example.test", "ada+1@other.test", "gridloom@example.test", "+++@example.test")
    ]
    assert names[0] == "ada-1"
    assert names[1].startswith("ada-1-")
    assert names[2].startswith("gridloom-")
    assert names[3] == "user"
    assert all(read_user_name(it) == it for it in names)


@pytest.mark.parametrize(
    ("user_name", "email", "field"),
    [
        ("ADA", "b@example.test", "userName"),
        ("bob", "a@example.test", "email"),
        ("Gridloom", None, "userName"),
    ],
)
def test_what_is_taken_is_refused(anonymous, user_name, email, field):
    register(anonymous.context, "ada", {"email": "a@example.test"})
    with pytest.raises(BadInput) as caught:
        register(anonymous.context, user_name, {"email": email})
    assert caught.value.field == field


@pytest.mark.parametrize("user_name", ["ada", "Ada"])
def test_a_race_for_a_name_is_lost_with_the_same_answer(anonymous, monkeypatch, user_name):
    register(anonymous.context, "ada", {})
    monkeypatch.setattr(accounts, "name_taken", lambda *_, **__: False)
    with pytest.raises(BadInput) as caught:
        register(anonymous.context, user_name, {})
    assert caught.value.field == "userName"


def test_an_account_can_be_part_of_a_larger_transaction(anonymous, settings):
    account_id = anonymous.context.writer.run(lambda it: add_account(it, settings, "ada", {"role": "admin"}))
    with anonymous.context.database.read() as connection:
        assert accounts.by_id(connection, account_id).role == "admin"
