"""Earlier results that stand for those of a bundle's tasks: asked for once, when the first of them needs to know."""

from collections.abc import Sequence

import structlog

from gridloom.errors import GridloomError, LeaseLost
from gridloom.wire_reuse import Reused, ReuseRequest
from worker.control import ControlPlane, Wanted
from worker.leases import Lease

log = structlog.get_logger()


class EarlierResults:
    """Belongs to one thread, like the bundle."""

    def __init__(self, control: ControlPlane, leases: Sequence[Lease]) -> None:
        """Note of which tasks, all of one job, it will be asked."""
        self._control, self._job_id = control, leases[0].job_id
        self._chunks = tuple(lease.chunk for lease in leases)
        self._found: dict[int, Reused] | None = None

    def of(self, chunk: int, image: str, wanted: Wanted) -> Reused | None:
        """Return what there is for a task that would run in an image; None where nobody could tell, so it runs."""
        if self._found is None:
            self._found = self._ask(image, wanted)
        return self._found.get(chunk)

    def _ask(self, image: str, wanted: Wanted) -> dict[int, Reused]:
        request = ReuseRequest(job_id=self._job_id, chunks=self._chunks, image=image)
        try:
            return {it.chunk: it for it in self._control.reuse(request, wanted).found}
        except LeaseLost:
            raise
        except GridloomError as error:
            log.warning("earlier_results_unknown", job=self._job_id, error=error.message)
            return {}
