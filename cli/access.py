"""How commands reach the fabric: options, then what `gridloom.access` finds."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from cli.output import note

if TYPE_CHECKING:
    from gridloom.access import Access as Found
    from gridloom.client import Client
    from gridloom.errors import ClientError

PATIENCE_S = 60.0  #: how long commands that wait for a job bear a fabric that is away


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """What the user said about the fabric; empty means not said."""

    url: str = ""
    api_key: str = ""
    profile: str = ""

    def found(self) -> "Found":
        """Find the fabric and a credential for it.

        Raises:
            SetupFailed: when nothing tells where the fabric is or which key to use.
        """
        from gridloom.access import find_access

        return find_access(self.url, self.api_key, self.profile)

    def client(self, *, patience_s: float = 0.0) -> "Client":
        """Open a client.

        Raises:
            SetupFailed: when nothing tells where the fabric is or which key to use.
        """
        from gridloom.client import Client

        return Client(access=self.found(), patience_s=patience_s, on_wait=_note_wait)


def _note_wait(error: "ClientError") -> None:
    note(f"waiting for the fabric: {error.message}")
