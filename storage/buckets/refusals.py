"""Reads what boto3 and obstore say of a failed call."""

import re
from typing import Any

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    HTTPClientError,
    IncompleteReadError,
    NoCredentialsError,
    ParamValidationError,
)
from botocore.exceptions import (
    ConnectionError as NoConnection,
)
from obstore.exceptions import BaseError

from storage.buckets.failures import Failure

SERVICE_ERRORS = (ClientError, BotoCoreError)
STORE_ERRORS = (BaseError, FileNotFoundError, ValueError)

#: What boto3 raises, beyond its own, over answers that make no sense.
UNREADABLE = (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError)

_NO_ANSWER = (HTTPClientError, IncompleteReadError, NoConnection)
_STATUS = re.compile(r"status code: (\d{3})")
_RETRIES = re.compile(r"retries: (\d+)")


def of_service(error: Exception) -> Failure:
    """Read an error of boto3."""
    if isinstance(error, ClientError):
        return _of_answer(error.response)
    if isinstance(error, NoCredentialsError):
        return Failure(code="AccessDenied", status=403, message="no keys were found")
    if isinstance(error, ParamValidationError):
        return Failure(code="InvalidRequest", message=str(error))
    return Failure(message=_short(error), unreachable=isinstance(error, _NO_ANSWER))


def unreadable(error: Exception) -> Failure:
    """Return the failure for an answer that makes no sense."""
    return Failure(
        code="MalformedAnswer", message=f"the server's answer can't be read: {type(error).__name__}: {error}"
    )


def _of_answer(response: dict[str, Any]) -> Failure:
    error, about = response.get("Error", {}), response.get("ResponseMetadata", {})
    status = about.get("HTTPStatusCode", 0)
    code = str(error.get("Code", ""))
    return Failure(
        code="" if code == str(status) else code,
        status=status,
        message=str(error.get("Message", "")),
        region=about.get("HTTPHeaders", {}).get("x-amz-bucket-region", "") or error.get("Region", ""),
        retried=about.get("RetryAttempts", 0) > 0,
    )


def of_store(error: Exception) -> Failure:
    """Read an error of obstore, whose text holds the server's answer."""
    text = str(error)
    if "without LOCATION" in text:
        return Failure(code="PermanentRedirect", status=301, message="the bucket is elsewhere")
    status = _STATUS.search(text)
    retries = _RETRIES.search(text)
    return Failure(
        code=_element(text, "Code") or ("NoSuchKey" if isinstance(error, FileNotFoundError) else ""),
        status=int(status[1]) if status else 0,
        message=_element(text, "Message") or text.partition("\n")[0].rpartition(" - ")[2],
        region=_element(text, "Region"),
        retried=bool(retries and int(retries[1])),
        unreachable=status is None and "HTTP error" in text and "ertificate" not in text,
    )


def _element(text: str, name: str) -> str:
    found = re.search(rf"<{name}>([^<]*)</{name}>", text)
    return found[1] if found else ""


def _short(error: Exception) -> str:
    return " ".join(str(error).split())[:300]
