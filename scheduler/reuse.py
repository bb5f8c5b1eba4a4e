"""Finds earlier results that stand for those of tasks which are about to run: the control plane's side of reuse.

An earlier task counts when it was of the same owner, in another job, and its chunk's bytes, its app's archive, its
parameters and the image it ran in were the same; and when its job's bytes are still kept.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from gridloom.plan import PlannedStage
from gridloom.reuse import ReuseNote, canonical, differing
from gridloom.wire import ResultFile
from gridloom.wire_reuse import Reused, ReuseReply, ReuseRequest
from storage.columns import AnyRow
from storage.repositories import job_states, reuse

JOBS_SEEN = 50  #: of those that had the same bytes, the newest
JOBS_TRIED = 8  #: of those among them that ran the same, the newest

_NAME_CHARS = 64  # of a parameter's in a note, which every task keeps
_NONE = ReuseNote(reason="no earlier task of yours had these bytes, or its result is no longer kept")
_GONE = ReuseNote(reason="the result of the same is no longer kept")
_NO_DIGEST = ReuseNote(reason="the chunk has no digest")

Place = tuple[str, int]  # job and chunk


@dataclass(frozen=True, slots=True, kw_only=True)
class _Wish:
    """A task that may not have to run: the jobs that had its bytes and ran the same, or why there are none."""

    task: AnyRow
    fitting: tuple[Place, ...] = ()
    missed: ReuseNote = _NONE

    def places(self) -> Iterator[Place]:
        """Yield the earlier tasks in the order of preference: those of the same number first."""
        yield from ((job_id, self.task.chunk) for job_id, _ in self.fitting)
        yield from self.fitting


def find(connection: Connection, worker_id: str, request: ReuseRequest) -> ReuseReply:
    """Return what is found for those of the tasks that the worker holds; nothing where the job wants none."""
    job = reuse.job(connection, request.job_id)
    plan = job_states.plan_of(job) if job is not None and job.plan else None
    if job is None or plan is None or not plan.reuse:
        return ReuseReply(found=())
    held = reuse.held(connection, worker_id, job.id, request.chunks)
    digests = {row.chunk_sha256 for row in held if row.chunk_sha256}
    earlier = reuse.earlier(connection, job.owner_id, digests, besides=job.id, most=JOBS_SEEN)
    apps = reuse.apps(connection, {row.job_id for rows in earlier.values() for row in rows})
    missed = {job_id: _differs(row, plan.app) for job_id, row in apps.items()}
    wishes = [_wish(row, earlier.get(row.chunk_sha256, ()), missed) for row in held]
    done = reuse.completed(connection, _by_job(place for wish in wishes for place in wish.places()))
    notes = {wish.task.chunk: _choose(wish, done, request.image) for wish in wishes}
    files = reuse.files(connection, _by_job((it.job_id, it.chunk) for it in notes.values() if it.hit))
    return ReuseReply(found=tuple(_reused(chunk, note, files) for chunk, note in notes.items()))


def _wish(task: AnyRow, earlier: Sequence[AnyRow], missed: Mapping[str, ReuseNote | None]) -> _Wish:
    if not task.chunk_sha256:
        return _Wish(task=task, missed=_NO_DIGEST)
    fitting = [(it.job_id, it.chunk) for it in earlier if missed[it.job_id] is None]
    why = next((note for it in earlier if (note := missed[it.job_id])), _NONE)
    return _Wish(task=task, fitting=tuple(fitting[:JOBS_TRIED]), missed=_GONE if fitting else why)


def _differs(earlier: AnyRow, wanted: PlannedStage) -> ReuseNote | None:
    """Return why no result of an earlier job can stand for one of the wanted app, None when it can."""
    if not earlier.kept:
        return _GONE
    then, now = PlannedStage.model_validate(earlier.app), wanted
    if then.component.digest != now.component.digest:
        apps = " now, ".join(f"{it.component.name}@{it.component.version}" for it in (now, then))
        return ReuseNote(reason=f"the app's archive is another: {apps} in job {earlier.id}")
    if canonical(then.params) != canonical(now.params):
        names = ", ".join(it[:_NAME_CHARS] for it in differing(then.params, now.params)[:5])
        return ReuseNote(reason=f"the app's parameters differ from those of job {earlier.id}: {names}")
    return None


def _choose(wish: _Wish, done: Mapping[Place, AnyRow], image: str) -> ReuseNote:
    missed = wish.missed
    for place in wish.places():
        row = done.get(place)
        if row is None or row.chunk_sha256 != wish.task.chunk_sha256:
            continue
        ran_in = (row.spent or {}).get("image", "")
        if ran_in == image:
            job_id, chunk = place
            reason = "chunk, app, parameters and image are the same"
            return ReuseNote(reason=reason, job_id=job_id, chunk=chunk, saved_s=_ran_s(row))
        missed = ReuseNote(
            reason=f"the image is {image or 'none'} now, {ran_in or 'none'} in job {row.job_id}"
        )
    return missed


def _ran_s(row: AnyRow) -> float:
    """Return for how long the task ran that made the result, be it one that was taken itself."""
    if row.reuse and row.reuse.get("job_id"):
        return float(row.reuse.get("saved_s", 0.0))
    return max(0.0, (row.ended_at - row.started_at).total_seconds()) if row.started_at else 0.0


def _reused(chunk: int, note: ReuseNote, files: Mapping[Place, Sequence[Sequence[str | int]]]) -> Reused:
    if not note.hit:
        return Reused(chunk=chunk, note=note)
    found = files.get((note.job_id, note.chunk))
    if found is None:
        return Reused(chunk=chunk, note=_GONE)
    taken = (
        ResultFile(name=str(name), size=int(size), key=str(key), offset=int(offset))
        for name, size, key, offset in found
    )
    return Reused(chunk=chunk, note=note, files=tuple(taken))


def _by_job(places: Iterable[Place]) -> dict[str, set[int]]:
    found: dict[str, set[int]] = defaultdict(set)
    for job_id, chunk in places:
        found[job_id].add(chunk)
    return found
