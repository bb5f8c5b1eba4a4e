from datetime import UTC, datetime, timedelta

from storage.repositories import accounts, codes, credentials, oauth_codes, sessions, sign_ins
from storage.repositories.oauth_codes import CODE, NewCode


def test_everything_that_has_expired_is_swept_in_one_go(connection):
    ada, long_ago = accounts.create_account(connection, "ada"), datetime.now(UTC) - timedelta(days=3)
    codes.save(connection, "ada@example.test", "login", "h", long_ago)
    credentials.end_token(connection, "t", long_ago)
    sessions.create(connection, ada, client="c", secret_hash="s", expires_at=long_ago)
    oauth_codes.add(connection, NewCode(code_hash="h", kind=CODE, client_id="c", expires_at=long_ago))
    assert sign_ins.sweep(connection) == 4
    assert sign_ins.sweep(connection) == 0
