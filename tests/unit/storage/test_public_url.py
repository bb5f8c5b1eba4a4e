"""URLs from users before anything is asked of the network."""

import pytest

from gridloom.errors import BadInput
from gridloom.net_guard import PrivateHosts
from storage.public_url import check_url


def test_a_public_url_is_parsed() -> None:
    assert check_url("https://example.org/a%20b?x=1", PrivateHosts()).host == "example.org"


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        (7, "can't be read"),
        ("http://[::1/", "can't be read"),
        ("example.org/a", "must begin with http"),
        ("ftp://example.org/", "must begin with http"),
        ("http://", "must begin with http"),
        ("http://me:secret@example.org/", "must not hold credentials"),
        ("http://127.1/", "private network; the operator can allow it with GRIDLOOM_ALLOW_PRIVATE_HOSTS"),
        ("http://[::ffff:10.0.0.1]/", "private network"),
    ],
)
def test_what_can_not_be_asked_is_refused(url: object, problem: str) -> None:
    with pytest.raises(BadInput, match=problem) as caught:
        check_url(url, PrivateHosts())
    assert "secret" not in caught.value.message


def test_the_operator_may_allow_a_private_host() -> None:
    assert check_url("http://127.0.0.1:9000/", PrivateHosts.parse("127.0.0.1")).port == 9000
