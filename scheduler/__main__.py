"""Entry point: `python -P -m scheduler`."""

import signal
import sys
import threading
from types import FrameType

from broker.event_stream import EventPublisher
from broker.hints import HintQueues
from broker.wakeup import Wakeup
from gridloom.errors import GridloomError
from gridloom.event_log import configure
from gridloom.settings import Settings
from scheduler.log_merge import LogMerger
from scheduler.loop import Scheduler
from storage.db import Database
from storage.migrate import upgrade
from storage.stores import open_store

_MERGE_S = 5.0


def main() -> int:
    """Schedule until SIGTERM or SIGINT; return the exit status."""
    settings = Settings()
    configure(settings.log_level)
    stop = threading.Event()

    def _stop(_signal: int, _frame: FrameType | None) -> None:
        stop.set()

    signal.signal(signal.SIGTERM, _stop)
    signal.signal(signal.SIGINT, _stop)
    try:
        publisher = EventPublisher(settings.broker_url)
        database = Database(settings.database_url, publisher.publish)
        upgrade(database)
        wakeup, queues = Wakeup(settings.broker_url), HintQueues(settings.broker_url)
        store = open_store(settings)
        merger = LogMerger(database, store)
        merger.start()
        Scheduler(database, store, queues, wakeup, settings).run(stop)
    except GridloomError as error:
        sys.stderr.write(f"error: {error.message}\n")
        return 1
    merger.stop(_MERGE_S)
    publisher.close()
    queues.close()
    wakeup.close()
    database.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
