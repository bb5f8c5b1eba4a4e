"""How programs and commands find the fabric and a credential for it.

The first that says something wins: arguments, the named profile, GRIDLOOM_URL and GRIDLOOM_API_KEY, GRIDLOOM_PROFILE,
the current profile, the credentials that `gridloom up` wrote.
"""

import os
import time
from dataclasses import dataclass, field, replace
from urllib.parse import urlsplit

from gridloom import local_fabric
from gridloom.errors import ClientError, SetupFailed
from gridloom.profiles import Profile, read_profiles, write_profiles

CLIENT_ID = "gridloom-cli"


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """Where the fabric is, and one credential; without one only calls that need no token are possible."""

    url: str
    api_key: str = field(default="", repr=False)
    refresh_token: str = field(default="", repr=False)
    access_token: str = field(default="", repr=False)
    profile: str = ""  #: where a renewed refresh token is kept
    client_id: str = CLIENT_ID

    def __post_init__(self) -> None:
        """Tidy what was pasted.

        Raises:
            ClientError: when the URL is none.
        """
        object.__setattr__(self, "url", _checked_url(self.url))
        object.__setattr__(self, "api_key", self.api_key.strip())

    def kept(self) -> Profile | None:
        """Return the profile as it is now, since another process may have renewed its tokens; None without one."""
        return read_profiles().by_name.get(self.profile)

    def keep(self, *, refresh_token: str, access_token: str, lifetime_s: float) -> None:
        """Put renewed tokens into the profile that the old ones came from."""
        profiles = read_profiles()
        if found := profiles.by_name.get(self.profile):
            renewed = replace(
                found,
                refresh_token=refresh_token,
                access_token=access_token,
                access_until=time.time() + lifetime_s,
            )
            write_profiles(profiles.having(self.profile, renewed))


def find_access(url: str = "", api_key: str = "", profile: str = "") -> Access:
    """Find the fabric and its key; what is given comes first.

    Raises:
        SetupFailed: when nothing tells where the fabric is or which key to use.
    """
    if not profile:
        url = url or os.environ.get("GRIDLOOM_URL", "")
        api_key = api_key or os.environ.get("GRIDLOOM_API_KEY", "")
    if url and api_key:
        return Access(url=url, api_key=api_key)
    known, source = _known(profile)
    if known is None:
        if api_key:
            raise SetupFailed("GRIDLOOM_API_KEY is set but GRIDLOOM_URL is not")
        raise SetupFailed(
            f"no fabric is known: start one with gridloom up, or set GRIDLOOM_URL and GRIDLOOM_API_KEY "
            f"(looked for {source})"
        )
    # A key belongs to one fabric: the one that is known is not sent to another URL.
    if url and url.rstrip("/") != known.url:
        other = None if profile else _profile_of(url.rstrip("/"))
        if other and not api_key:
            return other
        raise SetupFailed(f"there is no API key for {url}: set GRIDLOOM_API_KEY")
    return Access(url=known.url, api_key=api_key) if api_key else known


def find_url(profile: str = "") -> str:
    """Find the fabric alone, for calls that need no credential.

    Raises:
        SetupFailed: when nothing tells where it is.
    """
    if not profile and (url := os.environ.get("GRIDLOOM_URL", "")):
        return url
    known, source = _known(profile)
    if known is None:
        raise SetupFailed(f"no fabric is known: say --url, or set GRIDLOOM_URL (looked for {source})")
    return known.url


def _profile_of(url: str) -> Access | None:
    for name, found in read_profiles().by_name.items():
        if found.url == url and (found.api_key or found.refresh_token):
            return _access_of(name, found)
    return None


def _access_of(name: str, found: Profile) -> Access:
    return Access(url=found.url, api_key=found.api_key, refresh_token=found.refresh_token, profile=name)


def _known(name: str) -> tuple[Access | None, str]:
    """Return what a profile or else the local fabric's credentials say, and which file was looked for last."""
    profiles = read_profiles()
    chosen = name or os.environ.get("GRIDLOOM_PROFILE", "") or profiles.current
    if chosen:
        return _access_of(chosen, profiles.get(chosen)), chosen
    folder = local_fabric.current_dir()
    local = local_fabric.read_credentials(folder)
    access_or_none = Access(url=local["url"], api_key=local["apiKey"]) if local else None
    return access_or_none, str(folder / local_fabric.CREDENTIALS)


def _checked_url(url: str) -> str:
    try:
        parts = urlsplit(url.strip())
        usable = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:
        usable = False
    if not usable:
        raise ClientError(f"{url!r} is not a URL like http://127.0.0.1:8080")
    return parts.geturl().rstrip("/")
