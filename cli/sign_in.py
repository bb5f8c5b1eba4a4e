"""Signs in by whichever way this machine offers, and keeps the session in a profile."""

import os
import sys
import time

from cli.loopback import authorize, has_browser
from cli.output import note
from gridloom.access import Access, find_url
from gridloom.client import Client
from gridloom.client.answers.account import Token, User
from gridloom.errors import ClientError, Unreachable
from gridloom.profiles import Profile, read_profiles, write_profiles

DEFAULT_PROFILE = "default"


def present_user(client: Client) -> User | None:
    """Return whose credential a client has; None when the fabric does not take it."""
    try:
        return client.user()
    except Unreachable:
        raise
    except ClientError as error:
        if error.status in (0, 400, 401, 403):
            return None
        raise


def sign_in(url: str, profile: str, *, by_device: bool) -> None:
    """Sign in and keep the session under the profile's name, which becomes the current one if there is none.

    Raises:
        ClientError: when the fabric or the user refuses.
    """
    with Client(access=Access(url=url)) as client:
        token = _by_device(client) if by_device or is_headless() else _by_browser(client)
    if not token.refresh_token:
        raise ClientError("the fabric gave no refresh token")
    profiles = read_profiles()
    session = Profile(
        url=client.url,
        refresh_token=token.refresh_token,
        access_token=token.token,
        access_until=time.time() + token.expires_in_s,
    )
    # It takes the place of whatever opened this fabric before.
    write_profiles(profiles.having(profile, session))


def place_of(url: str, profile: str) -> tuple[str, str]:
    """Return the fabric to sign in to and the name of the profile for it, from what the user said and what is known.

    Raises:
        SetupFailed: when nothing tells where the fabric is.
    """
    profiles = read_profiles()
    named = profile or os.environ.get("GRIDLOOM_PROFILE", "")
    found = Access(url=url or find_url(named)).url
    if named:
        return found, named
    current = profiles.by_name.get(profiles.current)
    if current and current.url == found:
        return found, profiles.current
    known = [name for name, it in profiles.by_name.items() if it.url == found]
    if known:
        return found, known[0]
    return found, DEFAULT_PROFILE if DEFAULT_PROFILE not in profiles.by_name else _host_of(found)


def forget(profile: str) -> None:
    """Take the session out of a profile."""
    profiles = read_profiles()
    if profile in profiles.by_name:
        write_profiles(profiles.having(profile, Profile(url=profiles.get(profile).url)))


def is_headless() -> bool:
    """Tell whether no browser of this machine can be shown to the user."""
    if os.environ.get("BROWSER"):
        return False
    shown = sys.platform != "linux" or os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")
    return not shown or not has_browser()


def _by_browser(client: Client) -> Token:
    granted = authorize(client.url, lambda page: note(f"Sign in in the browser; if none opens, here: {page}"))
    return client.exchange_code(granted.code, verifier=granted.verifier, redirect_uri=granted.redirect_uri)


def _by_device(client: Client) -> Token:
    device = client.start_device_sign_in()
    note(f"Open {device.verification_uri_complete} in any browser and check the code {device.user_code}")
    return client.await_device_sign_in(device)


def _host_of(url: str) -> str:
    return url.partition("://")[2]
