"""New passwords: the old one or an e-mailed code must show that the account's user asks, not who found their token."""

from api import passwords
from api.context import Context
from api.shapes.accounts import UpdateUserRequest
from gridloom.errors import BadInput
from storage.repositories import accounts
from storage.repositories.accounts import Account


def new_hash(context: Context, account: Account, body: UpdateUserRequest) -> str:
    """Return what is kept of the password that a request brings.

    Raises:
        BadInput: when it is too short, or the request does not show that it may be changed.
    """
    if not account.email:
        raise BadInput(
            "your account has no e-mail, so nobody could sign in with a password", field="password"
        )
    kept = passwords.hashed_new(body.password or "")
    if body.otp:
        if not context.codes.take(account.email, "password", body.otp):
            raise BadInput("the code is wrong or no longer good", field="otp")
        context.writer.run(lambda it: accounts.prove_email(it, account.id, keep_credentials=True))
    elif account.password_hash is not None:
        if not passwords.matches(account.password_hash, body.current_password):
            raise BadInput(
                "give the password that holds now, or an otp; this one is wrong", field="currentPassword"
            )
    elif context.codes.mailer.works:
        raise BadInput("give the code that POST /otp with purpose password sends", field="otp")
    return kept
