"""Named fabrics of this user, in a file that nobody else can read: `gridloom/config.json` among the user's settings.

    {"current": "office", "profiles": {"office": {"url": "https://…", "apiKey": "…"}}}

A profile has a URL and an API key or a refresh token.
"""

import fcntl
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import IO, Any

import platformdirs

from gridloom.errors import SetupFailed
from gridloom.private_files import write_private


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """One fabric, and how to come in."""

    url: str
    api_key: str = field(default="", repr=False)
    refresh_token: str = field(default="", repr=False)
    access_token: str = field(default="", repr=False)  #: what the refresh token last gave
    access_until: float = 0.0  #: when that ends, in seconds since 1970


@dataclass(frozen=True, slots=True, kw_only=True)
class Profiles:
    """All profiles by name; `current` is the one that is used when none is named, "" for none."""

    current: str = ""
    by_name: Mapping[str, Profile] = field(default_factory=dict)

    def get(self, name: str) -> Profile:
        """Return a profile.

        Raises:
            SetupFailed: when there is none of that name.
        """
        if name not in self.by_name:
            known = f"known are {', '.join(sorted(self.by_name))}" if self.by_name else "there is none yet"
            raise SetupFailed(f"there is no profile {name!r}; {known}")
        return self.by_name[name]

    def having(self, name: str, profile: Profile) -> "Profiles":
        """Return these with one more, or one changed; the first one becomes the current one."""
        return replace(self, current=self.current or name, by_name={**self.by_name, name: profile})

    def without(self, name: str) -> "Profiles":
        """Return these without one.

        Raises:
            SetupFailed: when there is none of that name.
        """
        self.get(name)
        rest = {key: value for key, value in self.by_name.items() if key != name}
        return replace(self, current="" if self.current == name else self.current, by_name=rest)

    def switched(self, name: str) -> "Profiles":
        """Return these with another current one.

        Raises:
            SetupFailed: when there is none of that name.
        """
        self.get(name)
        return replace(self, current=name)


_WIRE = {
    "url": "url",
    "api_key": "apiKey",
    "refresh_token": "refreshToken",
    "access_token": "accessToken",
    "access_until": "accessUntil",  # the only one that is a number
}


def config_file() -> Path:
    """Return the file that holds the profiles."""
    return platformdirs.user_config_path("gridloom") / "config.json"


def read_profiles() -> Profiles:
    """Read all profiles; there are none when there is no file.

    Raises:
        SetupFailed: when the file can't be used.
    """
    path = config_file()
    try:
        found = json.loads(path.read_text())
        by_name = {str(name): _profile(it) for name, it in (found.get("profiles") or {}).items()}
        return Profiles(current=str(found.get("current") or ""), by_name=by_name)
    except FileNotFoundError:
        return Profiles()
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise SetupFailed(f"{path} can't be used: {error}") from error


def write_profiles(profiles: Profiles) -> None:
    """Replace the file.

    Raises:
        SetupFailed: when it can't be written.
    """
    path = config_file()
    by_name = {
        name: {_WIRE[ours]: value for ours, value in asdict(it).items() if value}
        for name, it in profiles.by_name.items()
    }
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        document = {"current": profiles.current, "profiles": by_name}
        write_private(path, json.dumps(document, indent=2) + "\n")
    except OSError as error:
        raise SetupFailed(f"can't write {path}: {error.strerror}") from error


def try_lock() -> IO[bytes] | None:
    """Lock the profiles against other processes until the returned file is closed; None while another has them.

    Raises:
        SetupFailed: when there is no place for the lock.
    """
    path = config_file().with_name("lock")
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = path.open("ab")
    except OSError as error:
        raise SetupFailed(f"can't write {path}: {error.strerror}") from error
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        lock.close()
        return None
    return lock


def _profile(members: Mapping[str, Any]) -> Profile:
    texts = {ours: str(members.get(wire) or "") for ours, wire in _WIRE.items()}
    until = float(texts.pop("access_until") or 0)
    return Profile(**texts, access_until=until)
