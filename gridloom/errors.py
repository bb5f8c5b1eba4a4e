"""Every error the fabric raises on purpose.

    GridloomError                  status 500
      BadInput                     400   what a caller sent can't be used; `field` names the place
        BadManifest                400
        BadArchive                 400
        BadParameters              400   `field` is a JSON pointer
        BadState                   400   the thing exists but may not be changed so now
        Conflict                   409   the same was asked before in other words
      Unauthorized                 401
      Forbidden                    403
        AddressRefused             403   a name leads to an address that is neither public nor allowed
      NotFound                     404
        BlobMissing                404   the object store has no such key
      TooLarge                     413
      TooMany                      429   `retry_after_s` tells when to come back
      Unavailable                  503   retryable: a part of the fabric can't be reached
        StoreUnavailable           503   retryable
          StoreFull                503   retryable; the disk has no space left
        BucketUnavailable          503   retryable: a user's bucket can't be reached now
        VaultLocked                503   retryable; the master key that is needed is not here
      SealBroken                   500   a sealed value was changed, or moved to where it does not belong
      BucketFailed                 400   a user's bucket can't do what was asked of it; trying again won't help
        BucketDenied               400   the keys are wrong, or lack the permission that it names
        BucketFull                 400   there is no space left, or the quota is used up
        ObjectMissing              400   the bucket has no such object, or there is no such bucket
        ObjectChanged              400   the object is not what it was when it was looked at
        ObjectExists               400   the object is there already and may not be replaced
      AttemptFailed                -     an attempt ends; `reason` says why
        RunnerFailed               -     the runner itself broke
      LeaseLost                    409   the caller no longer holds what it writes to
      SetupFailed                  -     a process can't start; the message tells the operator what to do
      ClientError                  -     the control plane refused a call; `status` and `field` are from its answer
        Unreachable                -     retryable: it gave no answer

`status` is the HTTP status that a renderer uses, `retryable` whether the same call may succeed later.
"""

from gridloom.states import EndReason


class GridloomError(Exception):
    """Base of all; the message says what is wrong and which thing it concerns."""

    status = 500
    retryable = False

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class BadInput(GridloomError):
    """Raised when what a caller sent can't be used."""

    status = 400

    def __init__(self, message: str, *, field: str = "") -> None:
        super().__init__(message)
        self.field = field


class BadManifest(BadInput):
    """Raised when a manifest or template breaks the contract's rules."""


class BadArchive(BadInput):
    """Raised when an uploaded archive is not a tar of a component, or tries to leave its folder."""


class BadParameters(BadInput):
    """Raised when parameters don't match a component's schema."""


class BadState(BadInput):
    """Raised when a thing may not be changed in the state it is in."""


class Conflict(BadInput):
    """Raised when an idempotency key comes with another request than the first time."""

    status = 409


class Unauthorized(GridloomError):
    """Raised when a call carries no valid token."""

    status = 401


class Forbidden(GridloomError):
    """Raised when the token is valid but not for this call."""

    status = 403


class AddressRefused(Forbidden):
    """Raised when a host name leads to an address that is neither public nor allowed by the operator."""


class NotFound(GridloomError):
    """Raised when there is no such thing, or it is not the caller's."""

    status = 404


class BlobMissing(NotFound):
    """Raised when the object store has no such key."""


class TooLarge(GridloomError):
    """Raised when a body or file exceeds its cap."""

    status = 413


class TooMany(GridloomError):
    """Raised when an account or an address makes more calls, or wants more things, than it may."""

    status = 429

    def __init__(self, message: str, *, retry_after_s: int = 1) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class Unavailable(GridloomError):
    """Raised when a part of the fabric can't be reached now."""

    status = 503
    retryable = True


class StoreUnavailable(Unavailable):
    """Raised when the object store can't be read or written now."""


class StoreFull(StoreUnavailable):
    """Raised when bytes can't be stored because the disk has no space left."""


class VaultLocked(Unavailable):
    """Raised when a secret can't be sealed or opened for want of its master key."""


class SealBroken(GridloomError):
    """Raised when a sealed value was changed, or lies where it does not belong."""


class BucketUnavailable(Unavailable):
    """Raised when a user's bucket can't be reached, or asks for patience, for longer than a call may take."""


class BucketFailed(GridloomError):
    """Raised when a user's bucket can't do what was asked of it; `member` is what is wrong of a source's or
    destination's params, where that is known."""

    status = 400

    def __init__(self, message: str, *, member: str = "") -> None:
        super().__init__(message)
        self.member = member


class BucketDenied(BucketFailed):
    """Raised when a bucket's keys are wrong or lack a permission; `permission` is list, read, write or delete, or
    empty when the keys themselves are refused."""

    def __init__(self, message: str, *, permission: str = "") -> None:
        super().__init__(message)
        self.permission = permission


class BucketFull(BucketFailed):
    """Raised when a bucket takes no more bytes: its server's disk is full, or its quota used up."""


class ObjectMissing(BucketFailed):
    """Raised when a bucket has no such object, or there is no such bucket."""


class ObjectChanged(BucketFailed):
    """Raised when an object is no longer the one that was looked at."""


class ObjectExists(BucketFailed):
    """Raised when an object may not be replaced and is there already."""


class LeaseLost(GridloomError):
    """Raised when the caller no longer holds the lease it acts under."""

    status = 409


class AttemptFailed(GridloomError):
    """Raised inside an attempt to end it with a reason."""

    def __init__(self, reason: EndReason, message: str, *, exit_code: int | None = None) -> None:
        super().__init__(message)
        self.reason = reason
        self.exit_code = exit_code


class RunnerFailed(AttemptFailed):
    """Raised when a runner or slot itself broke, through no fault of the user's code."""

    def __init__(self, message: str) -> None:
        super().__init__(EndReason.RUNNER_FAILED, message)


class SetupFailed(GridloomError):
    """Raised when a process can't start; the message tells the operator what to do."""


class ClientError(GridloomError):
    """Raised by the HTTP client when the control plane refuses a call; `status` is 0 when it gave no answer.

    `code` is OAuth2's word for the refusal, `retry_after_s` the pause that the control plane asked for.
    """

    def __init__(
        self,
        message: str,
        *,
        status: int = 0,
        field: str = "",
        code: str = "",
        retry_after_s: float | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.field = field
        self.code = code
        self.retry_after_s = retry_after_s


class Unreachable(ClientError):
    """Raised by the HTTP client when the control plane gives no answer."""

    retryable = True
