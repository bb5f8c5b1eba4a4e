"""How commands reach the fabric: options, then what `gridloom.access` finds."""

import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gridloom.client import Client
    from gridloom.errors import ClientError

PATIENCE_S = 60.0  #: how long commands that wait for a job bear a fabric that is away


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """What the user said about the fabric; empty means not said."""

    url: str = ""
    api_key: str = ""

    def client(self, *, patience_s: float = 0.0) -> "Client":
        """Open a client.

        Raises:
            SetupFailed: when nothing tells where the fabric is or which key to use.
        """
        from gridloom.access import find_access
        from gridloom.client import Client

        access = find_access(self.url, self.api_key)
        return Client(access=access, patience_s=patience_s, on_wait=_note_wait)


def _note_wait(error: "ClientError") -> None:
    sys.stderr.write(f"waiting for the fabric: {error.message}\n")
