"""A task's result files: small ones travel inside the commit, large ones go to a key of the attempt's own."""

from gridloom.wire import INLINE_RESULT_BYTES, ResultFile
from worker.attempt import Attempt, Phase
from worker.collect import collect
from worker.file_bytes import read_whole


class Results:
    """Collects TASK_RESULTS_DIR."""

    phase: Phase = "stored"

    def prepare(self, attempt: Attempt) -> None:
        """Collect.

        Raises:
            AttemptFailed: when the results break the rules.
        """
        room = INLINE_RESULT_BYTES
        limits = attempt.shop.result_limits
        for number, found in enumerate(collect(attempt.place("TASK_RESULTS_DIR"), limits)):
            name = str(found.path)
            if found.size <= room:
                data = read_whole(found.fd, found.size)
                room -= len(data)
                attempt.payloads.append(data)
                attempt.files.append(ResultFile(name=name, size=len(data)))
            else:
                key = f"{attempt.prefix}/{number}"
                attempt.shop.store.put_fd(key, found.fd, found.size)
                attempt.files.append(ResultFile(name=name, size=found.size, key=key))

    def cleanup(self, attempt: Attempt) -> None:
        """Nothing: the folder goes as a whole, and an uncommitted key is swept with its job."""
