"""`python -P -m worker`: runs a worker until it is told to stop."""

import os
import signal
import sys

import structlog

from gridloom import event_log
from gridloom.errors import GridloomError
from gridloom.settings import Settings
from worker.service import WorkerService

log = structlog.get_logger()


def main() -> int:
    """Run the worker; return the process's exit code."""
    settings = Settings()
    event_log.configure(settings.log_level)
    # Folders that scripts of another user read must not depend on who started us.
    os.umask(0o022)
    try:
        service = WorkerService(settings)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda _number, _frame: service.stop())
        return service.run()
    except GridloomError as error:
        log.error("worker_failed", reason=error.message)
        return 1


if __name__ == "__main__":
    sys.exit(main())
