"""Lists results as output by reference: for a passthrough assembler nothing moves, a page of names a step."""

from collections.abc import Sequence
from itertools import chain, islice
from typing import Any

from sqlalchemy import Connection

from gridloom.errors import BadInput
from gridloom.flat_merge import is_by_chunk, merge_candidates
from gridloom.plan import JobPlan
from gridloom.settings import Settings
from gridloom.states import EndReason, Stage
from scheduler import ending, outcomes
from storage.columns import AnyRow
from storage.repositories import assembly, job_states, tasks

PAGE = 1_000
EPOCH = 1  #: as if the first attempt of an assemble task had listed them


def assembled_by_reference(plan: JobPlan) -> bool:
    """Tell whether a job's results are its output as they lie in the fabric's own store, so no assembler has to run."""
    return plan.assembler.passthrough


def list_outputs(connection: Connection, row: AnyRow, settings: Settings) -> bool:
    """List the next page of a merging job's results; True when another follows, else its output stands.

    Names in folders are left to a worker: what is a file and what a folder takes knowing all names at once.
    """
    if tasks.unfinished(connection, row.id, Stage.ASSEMBLE):
        return False
    following, plan = None, job_states.plan_of(row)
    if plan.destination != "bypass":
        by_chunk = is_by_chunk(plan.assembler.params)
        page, following = assembly.results_page(connection, row.id, row.output_cursor, PAGE)
        files = [(task.chunk, *file) for task in page for file in task.results or ()]
        if not by_chunk and any("/" in name for _, name, *_ in files):
            assembly.forget_outputs(connection, row.id)
            tasks.insert_new(connection, [{"job_id": row.id, "stage": Stage.ASSEMBLE, "chunk": 0}])
            return False
        try:
            assembly.add_outputs(
                connection, row.id, EPOCH, _outputs(connection, row.id, files, by_chunk=by_chunk)
            )
        except BadInput as error:
            ending.fail(connection, row.id, EndReason.BAD_OUTPUT, error.message, settings)
            return False
    if following is not None:
        return assembly.move_cursor(connection, row.id, row.output_cursor, following)
    outcomes.output_stands(connection, row.id, EPOCH, settings)
    return False


def _outputs(
    connection: Connection,
    job_id: str,
    files: Sequence[tuple[int, str, int, str, int]],
    *,
    by_chunk: bool,
) -> list[dict[str, Any]]:
    # The two likeliest names of each file are looked up at once, so that one query serves the page.
    likeliest = (islice(merge_candidates(name, chunk, by_chunk=by_chunk), 2) for chunk, name, *_ in files)
    asked = set(chain.from_iterable(likeliest))
    taken = assembly.taken_paths(connection, job_id, EPOCH, asked)
    chosen: list[dict[str, Any]] = []
    for chunk, name, size, key, offset in files:
        for path in merge_candidates(name, chunk, by_chunk=by_chunk):
            if path in taken:
                continue
            if path not in asked and assembly.taken_paths(connection, job_id, EPOCH, [path]):
                continue
            taken.add(path)
            chosen.append({"path": path, "size": size, "key": key, "offset": offset})
            break
    return chosen
