"""Makes the two clients of a bucket: boto3's for every call, and obstore where the server is trusted.

The one place where their options are said. Both leave out the checksums that boto3 sends of late (Google and Storj
refuse them), have time limits on every call, and retry with jitter what may succeed later.
"""

import functools
import os
import threading
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import boto3.session
import botocore.session
from botocore import UNSIGNED
from botocore.config import Config
from botocore.credentials import Credentials
from botocore.exceptions import BotoCoreError
from botocore.utils import parse_timestamp
from obstore.store import S3Store

from gridloom.errors import BucketFailed
from storage.buckets.access import Access
from storage.buckets.dialects import DIALECTS, check_place, trusts
from storage.buckets.guarded_session import GuardedSession
from storage.buckets.service_client import ServiceClient
from storage.buckets.store_client import StoreClient

_FRESH = timedelta(minutes=5)
_making = threading.Lock()


@dataclass(frozen=True, slots=True, kw_only=True)
class Clients:
    """`service` is boto3's client, `store` obstore's, None where the server is not trusted."""

    service: ServiceClient
    store: StoreClient | None


def open_clients(access: Access) -> Clients:
    """Make both clients; no call is made.

    Raises:
        BucketFailed: when the place names no possible bucket.
    """
    check_place(access.place)
    try:
        session = _session_for(access)
        credentials = _credentials(session, access)
        service = _service(session, access, credentials)
        store = None
        if access.trusted or trusts(access.place, access.allow):
            store = StoreClient(_store(access, credentials, service))
        else:
            GuardedSession(access, connections=access.transfers + 4).guard(service)
    except (BotoCoreError, ValueError) as error:
        raise BucketFailed(f"bucket {access.place.bucket} can't be asked: {error}") from None
    return Clients(service=ServiceClient(service, access.place.bucket), store=store)


def link_client(access: Access, endpoint: str) -> ServiceClient:
    """Make a client that only signs URLs, for a server's public name.

    Raises:
        BucketFailed: when it can't be one.
    """
    try:
        session = _session_for(access)
        client = _service(session, access, _credentials(session, access), endpoint)
    except (BotoCoreError, ValueError) as error:
        raise BucketFailed(f"{endpoint} can't be the name of a server: {error}") from None
    return ServiceClient(client, access.place.bucket)


def _service(session: Any, access: Access, credentials: Any, endpoint: str = "") -> Any:
    place, dialect = access.place, DIALECTS[access.place.kind]
    url = endpoint or dialect.endpoint_of(place) or None
    region = access.region or dialect.region_of(place)
    if not region and access.ambient:
        region = session.region_name or ""
    frozen = credentials.get_frozen_credentials() if credentials and not _is_ambient(access) else None
    with _making:  # a session is not safe for many threads, its clients are
        client = session.client(
            "s3",
            region_name=region or dialect.region,
            endpoint_url=url,
            aws_access_key_id=frozen and frozen.access_key,
            aws_secret_access_key=frozen and frozen.secret_key,
            aws_session_token=frozen and frozen.token,
            config=Config(
                signature_version="s3v4" if credentials else UNSIGNED,
                s3={"addressing_style": "path" if url else "auto", "us_east_1_regional_endpoint": "regional"},
                request_checksum_calculation="when_required",
                response_checksum_validation="when_required",
                retries={"mode": "standard", "total_max_attempts": access.patience.attempts},
                connect_timeout=access.patience.connect_s,
                read_timeout=access.patience.read_s,
                max_pool_connections=access.transfers + 4,
                tcp_keepalive=True,
                ignore_configured_endpoint_urls=not access.ambient,
            ),
        )
    client.meta.events.register("before-call.s3", _stay_in_region)
    for operation in ("PutObject", "UploadPart"):
        client.meta.events.register(f"before-sign.s3.{operation}", _digest_once)
    return client


def _stay_in_region(context: dict[str, Any], **_: Any) -> None:
    """Leave it to the session, which goes with both clients, to follow a bucket to its region.

    botocore's own way asks again for ever where a server redirects every call.
    """
    context.setdefault("s3_redirect", {})["redirected"] = True


def _digest_once(request: Any, **_: Any) -> None:
    """Leave bodies out of signatures: their MD5 is signed, and more servers compare it than SHA-256.

    So botocore does itself where there is TLS.
    """
    if "Content-MD5" in request.headers:
        request.context["client_config"] = Config(s3={"payload_signing_enabled": False})


def _session_for(access: Access) -> Any:
    """Return a session of boto3: one that asks Amazon's chain for keys is the bucket's own, the other is everybody's."""
    return _new_session() if _is_ambient(access) else _common_session()


@functools.cache
def _common_session() -> Any:
    # What botocore knows of S3 takes 0.1 s and 13 MB to read.
    return _new_session()


def _new_session() -> Any:
    core = botocore.session.Session()
    core.get_component("response_parser_factory").set_parser_defaults(timestamp_parser=_moment)
    return boto3.session.Session(botocore_session=core)


def _moment(text: str) -> datetime:
    """Read a time of an answer; botocore's own way takes 70 µs, most of what an object costs in a listing."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        found = parse_timestamp(text)
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _is_ambient(access: Access) -> bool:
    return access.ambient and not access.place.access_key


def _credentials(session: Any, access: Access) -> Any:
    place = access.place
    if place.access_key:
        return Credentials(place.access_key, place.secret_key, place.session_token or None)
    return session.get_credentials() if access.ambient else None


def _store(access: Access, credentials: Any, service: Any) -> S3Store:
    """Make obstore's client for the same server and keys; what is said here wins over AWS's variables."""
    endpoint = str(service.meta.endpoint_url)
    options: Any = {
        "allow_http": endpoint.startswith("http://"),
        "connect_timeout": timedelta(seconds=access.patience.connect_s),
        "read_timeout": timedelta(seconds=access.patience.read_s),
        "timeout": timedelta(seconds=access.patience.answer_s),
    }
    bundle = os.environ.get("AWS_CA_BUNDLE")
    if bundle:
        options["root_certificate"] = Path(bundle).read_bytes()
    return S3Store(
        access.place.bucket,
        aws_endpoint_url_s3=endpoint,
        region=service.meta.region_name,
        virtual_hosted_style_request=False,
        skip_signature=credentials is None,
        unsigned_payload=False,
        s3_express=False,
        credential_provider=None if credentials is None else _Provider(credentials),
        client_options=options,
        retry_config={
            "max_retries": access.patience.attempts - 1,
            "backoff": {"init_backoff": timedelta(milliseconds=200), "max_backoff": timedelta(seconds=10)},
            "retry_timeout": timedelta(minutes=3),
        },
    )


class _Provider:
    """Gives obstore the keys that boto3 has, renewed as boto3 renews them."""

    def __init__(self, credentials: Any) -> None:
        self._credentials = credentials

    def __call__(self) -> Any:
        frozen = self._credentials.get_frozen_credentials()
        renewed = hasattr(self._credentials, "refresh_needed")
        return {
            "access_key_id": frozen.access_key,
            "secret_access_key": frozen.secret_key,
            "token": frozen.token,
            "expires_at": datetime.now(UTC) + _FRESH if renewed else None,
        }
