"""Where `gridloom up` keeps its data, and the credentials that it wrote there."""

import json
import os
from collections.abc import Mapping
from pathlib import Path

from gridloom.errors import SetupFailed
from gridloom.private_files import write_private

CREDENTIALS = "credentials.json"


def default_dir() -> Path:
    """Return where `gridloom up` keeps its data unless told otherwise: GRIDLOOM_DATA_DIR, else the XDG place."""
    named = os.environ.get("GRIDLOOM_DATA_DIR")
    return Path(named) if named else _xdg("XDG_DATA_HOME", ".local/share")


def current_dir() -> Path:
    """Return the data folder whose credentials clients use: the one that this user's `gridloom up` last ran on."""
    if not os.environ.get("GRIDLOOM_DATA_DIR"):
        try:
            noted = Path(_note().read_text().strip())
        except FileNotFoundError:
            return default_dir()
        if (noted / CREDENTIALS).is_file():
            return noted
    return default_dir()


def remember(folder: Path) -> None:
    """Make `folder` the one that `current_dir` returns."""
    _note().parent.mkdir(parents=True, exist_ok=True)
    write_private(_note(), f"{folder}\n")


def read_credentials(folder: Path) -> Mapping[str, str]:
    """Return `url` and `apiKey` of the fabric in `folder`, nothing when it has none.

    Raises:
        SetupFailed: when the file is there but can't be used.
    """
    path = folder / CREDENTIALS
    try:
        found = json.loads(path.read_text())
        return {"url": str(found["url"]), "apiKey": str(found["apiKey"])}
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise SetupFailed(f"{path} can't be used: {error}") from error


def refresh_url(folder: Path, url: str) -> None:
    """Write the fabric's present URL into its credentials; the file is made at the first start only."""
    path = folder / CREDENTIALS
    if not path.is_file():
        return
    known = json.loads(path.read_text())
    if known.get("url") != url:
        write_private(path, json.dumps(known | {"url": url}) + "\n")


def _xdg(variable: str, below_home: str) -> Path:
    base = os.environ.get(variable)
    return (Path(base) if base else Path.home() / below_home) / "gridloom"


def _note() -> Path:
    return _xdg("XDG_STATE_HOME", ".local/state") / "data-dir"
