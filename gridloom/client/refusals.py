"""Reads what the fabric answers: refusals become errors, anything else must be an object."""

from gridloom.client.steps import Json
from gridloom.client.web import httpx
from gridloom.errors import ClientError


def refuse(response: httpx.Response) -> None:
    """Raise ClientError when the answer is not a success.

    The published error body has its message at the top or in `error`, and places in `details`; that of OAuth2 has
    its code in `error` and words in `error_description`.
    """
    if response.is_success:
        return
    try:
        body = response.json()
    except ValueError:
        body = None
    body = body if isinstance(body, dict) else {}
    inner = body.get("error")
    code = inner if isinstance(inner, str) else ""
    inner = inner if isinstance(inner, dict) else {}
    candidates = (
        body.get("message"),
        inner.get("description"),
        inner.get("message"),
        body.get("error_description"),
    )
    url = response.url.copy_with(query=None)
    message = next((str(it) for it in candidates if it), code or f"{url} answers {response.status_code}")
    raise ClientError(
        " ".join(message.split()),
        status=response.status_code,
        field=_field(body),
        code=code,
        retry_after_s=_pause_s(response),
    )


def read(response: httpx.Response) -> Json:
    """Return the object that a successful answer holds, an empty one when it is empty.

    Raises:
        ClientError: when it is a refusal, or no answer of Gridloom's.
    """
    refuse(response)
    if not response.content:
        return {}
    try:
        answer = response.json()
    except ValueError:
        answer = None
    if not isinstance(answer, dict):
        raise ClientError(f"{response.url.host} does not answer like Gridloom", status=response.status_code)
    return answer


def _field(body: Json) -> str:
    violations = [it for detail in body.get("details") or () for it in detail.get("fieldViolations") or ()]
    return str(violations[0].get("field") or "") if violations else ""


def _pause_s(response: httpx.Response) -> float | None:
    header = response.headers.get("retry-after", "")
    return float(header) if header.isdigit() else None
