"""What a server or client says becomes an error that says what to do, the same for both clients."""

import pytest
from botocore.exceptions import ClientError
from obstore.exceptions import GenericError

from gridloom.buckets import BucketPlace
from gridloom.errors import (
    BucketDenied,
    BucketFailed,
    BucketFull,
    BucketUnavailable,
    GridloomError,
    ObjectChanged,
    ObjectMissing,
)
from storage.buckets.failures import Failure, explain
from storage.buckets.refusals import of_service, of_store

PLACE = BucketPlace(kind="aws", bucket="b-b", access_key="AKID", secret_key="very secret")
CASES: list[tuple[int, str, type[GridloomError], str]] = [
    (404, "NoSuchKey", ObjectMissing, "no object 'k'"),
    (404, "NoSuchBucket", ObjectMissing, "no bucket b-b at Amazon S3"),
    (412, "PreconditionFailed", ObjectChanged, "changed"),
    (416, "InvalidRange", ObjectChanged, "changed"),
    (403, "AccessDenied", BucketDenied, "lacks the permission to read, s3:GetObject"),
    (403, "InvalidAccessKeyId", BucketDenied, "not known"),
    (403, "SignatureDoesNotMatch", BucketDenied, "does not belong"),
    (400, "ExpiredToken", BucketDenied, "expired"),
    (503, "SlowDown", BucketUnavailable, "patience"),
    (500, "InternalError", BucketUnavailable, "patience"),
    (400, "RequestTimeout", BucketUnavailable, "patience"),
    (507, "XMinioStorageFull", BucketFull, "no space left"),
    (403, "QuotaExceeded", BucketFull, "no space left"),
    (301, "PermanentRedirect", BucketFailed, "set cloudRegion"),
    (400, "AuthorizationHeaderMalformed", BucketFailed, "lies in the region mars-1"),
    (405, "MethodNotAllowed", BucketFailed, "refused to read"),
]


@pytest.mark.parametrize(("status", "code", "kind", "message"), CASES, ids=[it[1] for it in CASES])
def test_both_clients_failures_are_told_alike(
    status: int, code: str, kind: type[GridloomError], message: str
) -> None:
    region = "mars-1" if "Malformed" in code else ""
    answer = {
        "Error": {"Code": code, "Message": "Words.", "Region": region},
        "ResponseMetadata": {"HTTPStatusCode": status, "HTTPHeaders": {}, "RetryAttempts": 2},
    }
    text = (
        f"Generic S3 error: Error performing GET https://s3/b-b/k in 1ms - Server returned non-2xx status code: {status} X: "
        f"<Error><Code>{code}</Code><Message>Words.</Message><Region>{region}</Region></Error>\n\nretries: 2,"
    )
    by_service, by_store = of_service(ClientError(answer, "GetObject")), of_store(GenericError(text))
    for failure in (by_service, by_store):
        error = explain(failure, PLACE, "read", "k")
        assert type(error) is kind
        assert message in error.message
        assert "secret" not in error.message or "very" not in error.message
        assert failure.retried
    assert explain(by_service, PLACE, "read", "k").message == explain(by_store, PLACE, "read", "k").message


def test_a_certificate_that_is_not_trusted_is_worth_asking_the_other_client() -> None:
    text = "Generic S3 error: Error performing GET https://s3 in 1ms - HTTP error: invalid peer certificate: UnknownIssuer"
    assert not of_store(GenericError(text)).busy
    assert of_store(GenericError(text.replace("certificate", "answer"))).busy


def test_a_key_that_the_server_does_not_take_is_the_name_that_was_given() -> None:
    failure = Failure(status=400, code="InvalidRequest", message="Invalid Request")
    error = explain(failure, PLACE, "read", "a/../b")
    assert isinstance(error, BucketFailed)
    assert error.member == "name"


def test_a_bucket_without_keys_is_told_to_need_a_secret() -> None:
    error = explain(Failure(status=403), PLACE.model_copy(update={"access_key": ""}), "write", "k")
    assert isinstance(error, BucketDenied)
    assert (error.permission, "not open to everybody" in error.message) == ("write", True)
