"""How commands reach the fabric: options, then GRIDLOOM_* variables, then the credentials of `gridloom up`."""

import os
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cli.data_dir import CREDENTIALS, current_dir, read_credentials
from gridloom.errors import SetupFailed

if TYPE_CHECKING:
    from gridloom.client import Client

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
        url, api_key = self._found()
        import stamina.instrumentation

        from gridloom.client import Client

        stamina.instrumentation.set_on_retry_hooks([_note_retry])
        return Client(url, api_key, patience_s=patience_s)

    def _found(self) -> tuple[str, str]:
        url = self.url or os.environ.get("GRIDLOOM_URL", "")
        api_key = self.api_key or os.environ.get("GRIDLOOM_API_KEY", "")
        if url and api_key:
            return url, api_key
        folder = current_dir()
        known = read_credentials(folder)
        if not known and not api_key:
            raise SetupFailed(
                f"no fabric is known: start one with gridloom up, or set GRIDLOOM_URL and GRIDLOOM_API_KEY "
                f"(looked for {folder / CREDENTIALS})"
            )
        if not known and not url:
            raise SetupFailed("GRIDLOOM_API_KEY is set but GRIDLOOM_URL is not")
        # A key belongs to one fabric: the local one's is not sent to another URL.
        if url and url.rstrip("/") != known["url"].rstrip("/"):
            raise SetupFailed(f"there is no API key for {url}: set GRIDLOOM_API_KEY")
        return known["url"], api_key or known["apiKey"]


def _note_retry(details: object) -> None:
    if getattr(details, "retry_num", 1) == 1:
        sys.stderr.write(f"waiting for the fabric: {getattr(details, 'caused_by', '')}\n")
