from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy.exc import IntegrityError

from storage.repositories import accounts, api_keys, credentials, oauth_codes, sessions
from storage.repositories.oauth_codes import NewCode
from storage.spans import Span

ADA = {"email": "ada@example.test", "password_hash": "p"}


@pytest.fixture
def ada(connection):
    return accounts.create_account(connection, "Ada", ADA)


def test_the_first_account_is_noticed(connection):
    assert not accounts.any_account(connection)
    accounts.create_account(connection, "ada")
    assert accounts.any_account(connection)


def test_an_account_is_found_by_id_and_email_until_it_is_deleted(connection, ada):
    found = accounts.by_id(connection, ada)
    assert (found.user_name, found.role, found.contact_info, found.onboarding_info) == ("Ada", "user", {}, [])
    assert accounts.by_email(connection, "ada@example.test") == found
    assert accounts.by_email(connection, "bob@example.test") is None
    accounts.change(connection, ada, {"deleted_at": datetime.now(UTC)})
    assert accounts.by_id(connection, ada) is None
    assert not accounts.change(connection, ada, {"role": "admin"})


def test_an_account_is_found_by_its_user_at_a_provider(connection, ada):
    accounts.change(connection, ada, {"provider": "https://a.test", "subject": "1"})
    assert accounts.by_subject(connection, "https://a.test", "1").id == ada
    assert accounts.by_subject(connection, "https://b.test", "1") is None


def test_user_names_differ_in_more_than_case_and_emails_are_unique(connection, ada):
    assert accounts.name_taken(connection, "aDA")
    assert not accounts.name_taken(connection, "ada", but=ada)
    assert not accounts.name_taken(connection, "bob")
    with pytest.raises(IntegrityError), connection.begin_nested():
        accounts.create_account(connection, "bob", ADA)


def test_accounts_are_listed_in_pages(connection, ada):
    accounts.create_account(connection, "bob")
    rows, total = accounts.listed(connection, Span(limit=1, order_by="user_name", descending=False))
    assert ([row.id for row in rows], total) == ([ada], 2)


@pytest.mark.parametrize("keep", [True, False])
def test_the_first_proof_of_an_email_may_end_what_was_there_before(connection, ada, keep):
    until = datetime.now(UTC) + timedelta(hours=1)
    key_id = api_keys.add(connection, ada, name="k", key_hash="h")
    sessions.create(connection, ada, client="c", secret_hash="s", expires_at=until)
    code = NewCode(code_hash="c", kind="code", client_id="c", expires_at=until, account_id=ada)
    oauth_codes.add(connection, code)
    accounts.prove_email(connection, ada, keep_credentials=keep)
    account = accounts.by_id(connection, ada)
    assert account.email_verified
    assert (account.password_hash is not None) is keep
    assert (sessions.by_secret(connection, "c", "s") is not None) is keep
    assert oauth_codes.use(connection, "c") is keep
    assert credentials.of_token(connection, "t", key_id=key_id).usable(datetime.now(UTC)) is keep


def test_later_proofs_end_nothing(connection, ada):
    accounts.prove_email(connection, ada, keep_credentials=True)
    accounts.prove_email(connection, ada, keep_credentials=False)
    assert accounts.by_id(connection, ada).password_hash == "p"
