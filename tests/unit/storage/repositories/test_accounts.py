from storage.repositories import accounts


def test_the_first_account_is_noticed(connection):
    assert not accounts.any_account(connection)
    assert accounts.create_account(connection, "ada", {"role": "admin"})
    assert accounts.any_account(connection)
