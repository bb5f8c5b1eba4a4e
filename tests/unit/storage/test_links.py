"""Signed links: bound to one call, one object and a time."""

from datetime import UTC, datetime, timedelta

import jwt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gridloom.errors import Forbidden, SetupFailed, Unauthorized
from storage.links import LinkClaims, LinkKind, LinkSigner

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
SECRET = b"s" * 32
SIGNER = LinkSigner(SECRET)
CLAIMS = LinkClaims(kind=LinkKind.BLOB, job="job_1", path="jobs/job_1/out/0", name='résumé, "a".txt')
HOUR = timedelta(hours=1)


def test_a_link_carries_its_claims_and_fits_in_a_url() -> None:
    token = SIGNER.sign("GET", CLAIMS, NOW + HOUR)
    assert SIGNER.verify(token, "GET", NOW) == CLAIMS
    assert SIGNER.verify(token, "HEAD", NOW) == CLAIMS
    assert token.replace("-", "").replace("_", "").replace(".", "").isalnum()


def test_a_link_expires() -> None:
    token = SIGNER.sign("GET", CLAIMS, NOW + HOUR)
    SIGNER.verify(token, "GET", NOW + HOUR - timedelta(seconds=1))
    with pytest.raises(Forbidden, match="expired at 2026-11-21 13:00:00 UTC"):
        SIGNER.verify(token, "GET", NOW + HOUR)


@pytest.mark.parametrize(
    ("signed", "used"), [("GET", "PUT"), ("PUT", "GET"), ("PUT", "HEAD"), ("HEAD", "GET")]
)
def test_a_link_is_bound_to_its_method(signed: str, used: str) -> None:
    with pytest.raises(Forbidden, match=f"for {signed}, not for {used}"):
        SIGNER.verify(SIGNER.sign(signed, CLAIMS, NOW + HOUR), used, NOW)


def test_a_link_of_another_secret_is_refused() -> None:
    with pytest.raises(Unauthorized):
        SIGNER.verify(LinkSigner(b"t" * 32).sign("GET", CLAIMS, NOW + HOUR), "GET", NOW)


@pytest.mark.parametrize(
    "content",
    [
        {"sub": "user", "exp": 2**33},
        {"kind": "blob", "method": "GET", "aud": "gridloom-link"},
        {"kind": "blob", "method": "GET", "exp": 2**33},
        {"kind": "other", "method": "GET", "exp": 2**33, "aud": "gridloom-link"},
        {"kind": "blob", "method": "GET", "exp": 2**33, "aud": "gridloom-link", "more": 1},
    ],
)
def test_another_token_signed_with_the_same_secret_is_no_link(content: dict[str, object]) -> None:
    with pytest.raises(Unauthorized):
        SIGNER.verify(jwt.encode(content, SECRET, algorithm="HS256"), "GET", NOW)


def test_an_unsigned_token_is_no_link() -> None:
    content = {"kind": "blob", "method": "GET", "exp": 2**33, "aud": "gridloom-link"}
    with pytest.raises(Unauthorized):
        SIGNER.verify(jwt.encode(content, "", algorithm="none"), "GET", NOW)


def test_a_short_secret_is_refused() -> None:
    with pytest.raises(SetupFailed, match="32 bytes"):
        LinkSigner(b"short")


@given(st.text(max_size=60))
def test_noise_is_no_link(token: str) -> None:
    with pytest.raises(Unauthorized):
        SIGNER.verify(token, "GET", NOW)
