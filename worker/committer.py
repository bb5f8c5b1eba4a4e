"""Sends outcomes: one commit for many attempts, so that a task's share of a call is small."""

import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from threading import Condition, Thread

import structlog

from gridloom.errors import GridloomError, Unavailable
from gridloom.states import EndReason, Stage
from gridloom.wire import AttemptResult, CommitRequest, ResultFile
from worker.attempt import Outcome
from worker.control import ControlPlane
from worker.leases import LeaseBook
from worker.log_segments import pack_lines
from worker.unsent_logs import Parcel, UnsentLogs, laid_out

log = structlog.get_logger()

FLUSH_S = 0.5
FLUSH_BYTES = 8 * 1024 * 1024
WAIT_BYTES = 2 * FLUSH_BYTES  #: with so much waiting, whoever brings more has to wait as well


class Committer:
    """One thread that commits what bundles bring.

    A commit without an answer is repeated for as long as one of its leases is not known to be lost: the attempt
    numbers make that safe, even when a lease lapsed meanwhile.
    """

    def __init__(
        self,
        control: ControlPlane,
        book: LeaseBook,
        unsent: UnsentLogs,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._control, self._book, self._unsent, self._clock = control, book, unsent, clock
        self._waiting: list[Outcome] = []
        self._bytes = 0
        self._due = 0.0
        self._stopping = False
        self._stop_by = 0.0
        self._changed = Condition()
        self._thread = Thread(target=self._run, name="committer", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def add(self, outcome: Outcome) -> None:
        """Commit an outcome within half a second; waits while too much is waiting already."""
        with self._changed:
            self._changed.wait_for(lambda: self._bytes < WAIT_BYTES or self._stopping)
            first = not self._waiting
            if first:
                self._due = self._clock() + FLUSH_S
            self._waiting.append(outcome)
            self._bytes += outcome.size
            full = self._bytes >= FLUSH_BYTES
            if full:
                self._due = 0.0
            if first or full:
                self._changed.notify_all()

    def flush(self) -> None:
        """Commit what waits without further delay."""
        with self._changed:
            self._due = 0.0
            self._changed.notify_all()

    def stop(self, timeout_s: float) -> None:
        """Commit what waits and end the thread; gives up after the time, when leases simply lapse."""
        with self._changed:
            self._stopping = True
            self._stop_by = self._clock() + timeout_s
            self._changed.notify_all()
        self._thread.join(timeout_s)

    def send(self, outcomes: list[Outcome]) -> None:
        """Commit outcomes now, grouped by job and stage."""
        groups: dict[tuple[str, Stage], list[Outcome]] = defaultdict(list)
        for outcome in outcomes:
            groups[outcome.lease.job_id, outcome.lease.stage].append(outcome)
        for (job_id, stage), group in groups.items():
            self._send_group(job_id, stage, group)

    def _send_group(self, job_id: str, stage: Stage, group: list[Outcome]) -> None:
        earlier = self._unsent.of(job_id, stage)
        request, tail = build_commit(job_id, stage, group, earlier)
        try:
            reply = self._control.commit(request, tail, lambda: self._worth_repeating(group))
        except Unavailable as error:
            log.warning("commit_given_up", job=job_id, stage=stage, tasks=len(group), error=error.message)
        except GridloomError as error:
            log.error("commit_refused", job=job_id, stage=stage, tasks=len(group), error=error.message)
            self._send_otherwise(job_id, stage, group, error.message)
        else:
            self._unsent.drop(job_id, stage, earlier)
            if reply.dropped:
                log.info("results_dropped", job=job_id, stage=stage, tasks=len(reply.dropped))
        finally:
            self._book.drop(outcome.lease for outcome in group)

    def _send_otherwise(self, job_id: str, stage: Stage, group: list[Outcome], refusal: str) -> None:
        """Send refused outcomes one by one, and for one that is refused alone the news of that."""
        if len(group) > 1:
            for outcome in group:
                self._send_group(job_id, stage, [outcome])
        elif group[0].result.reason is not EndReason.RUNNER_FAILED:
            refused = group[0].result.model_copy(
                update={"reason": EndReason.RUNNER_FAILED, "message": refusal, "files": (), "total": None}
            )
            self._send_group(job_id, stage, [Outcome(lease=group[0].lease, result=refused)])

    def _worth_repeating(self, group: list[Outcome]) -> bool:
        if self._stopping and self._clock() > self._stop_by:
            return False
        return any(not outcome.lease.lost for outcome in group)

    def _take(self) -> list[Outcome]:
        """Wait for outcomes that are due and take them; none means that the end has come."""
        with self._changed:
            while not self._waiting or (self._clock() < self._due and not self._stopping):
                if self._stopping and not self._waiting:
                    return []
                self._changed.wait(max(0.0, self._due - self._clock()) if self._waiting else None)
            taken, self._waiting = self._waiting, []
            return taken

    def _run(self) -> None:
        while taken := self._take():
            try:
                self.send(taken)
            except Exception:
                log.exception("commit_failed", tasks=len(taken))
                self._book.drop([outcome.lease for outcome in taken])
            with self._changed:
                self._bytes -= sum(outcome.size for outcome in taken)
                self._changed.notify_all()


def build_commit(
    job_id: str, stage: Stage, group: list[Outcome], earlier: Sequence[Parcel]
) -> tuple[CommitRequest, bytes]:
    """Return the commit of outcomes of one stage and its tail; `earlier` is what they printed before."""
    tail: list[bytes] = []
    offset = 0
    results: list[AttemptResult] = []
    for outcome in group:
        payloads = iter(outcome.payloads)
        files: list[ResultFile] = []
        for file in outcome.result.files:
            if file.key is None:
                data = next(payloads)
                files.append(file.model_copy(update={"offset": offset}))
                tail.append(data)
                offset += len(data)
            else:
                files.append(file)
        results.append(outcome.result.model_copy(update={"files": tuple(files)}) if files else outcome.result)
    packed = pack_lines((it.lease.chunk, it.lease.attempt, it.lines) for it in group)
    logs, lines = laid_out([*earlier, packed] if packed else earlier, offset)
    tail.append(lines)
    request = CommitRequest(job_id=job_id, stage=stage, results=tuple(results), logs=logs)
    return request, b"".join(tail)
