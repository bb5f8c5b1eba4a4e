"""What every request handler may use: settings, database, object store, links, wake-ups."""

from dataclasses import dataclass

from api.codes import CodeDesk
from broker.event_stream import EventPublisher
from broker.wakeup import Wakeup
from gridloom.settings import Settings
from storage.blobs import BlobStore
from storage.db import Database
from storage.group_commit import GroupCommitter
from storage.links import LinkSigner
from storage.vault import Vault


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """Made once per process by `api.app.create_app`; found at `request.app.state.context`."""

    settings: Settings
    database: Database
    writer: GroupCommitter
    store: BlobStore
    links: LinkSigner
    vault: Vault
    wakeup: Wakeup
    publisher: EventPublisher
    codes: CodeDesk
