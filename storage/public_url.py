"""URLs from users: parsed, and refused where they plainly lead into the operator's own network."""

from typing import Any

import httpx

from gridloom.errors import BadInput
from gridloom.net_guard import PrivateHosts, literal_address


def check_url(url: Any, allow: PrivateHosts) -> httpx.URL:
    """Return the parsed URL if it may be asked as far as can be told without the network.

    Raises:
        BadInput: when it is no http(s) URL, carries a user name, or spells a private address.
    """
    try:
        parsed = httpx.URL(url)
    except (httpx.InvalidURL, TypeError) as error:
        raise BadInput(f"the URL can't be read: {error}") from error
    if parsed.scheme not in ("http", "https") or not parsed.host:
        raise BadInput("the URL must begin with http:// or https:// and name a host")
    if parsed.userinfo:
        raise BadInput("the URL must not hold credentials; the params have members for them")
    literal = literal_address(parsed.host)
    if literal is not None and not allow.allow(parsed.host, literal):
        raise BadInput(
            f"{parsed.host} is in a private network; the operator can allow it with GRIDLOOM_ALLOW_PRIVATE_HOSTS"
        )
    return parsed
