"""The folders of an attempt: made empty before the script, removed with all in them after it."""

from gridloom.states import Stage
from worker.attempt import Attempt, Phase
from worker.collect import remove_tree

LAYOUT: dict[Stage, dict[str, tuple[str, ...]]] = {
    Stage.PARTITION: {"source": ("SOURCE_DIR",), "chunks": ("CHUNKS_DIR",)},
    Stage.APP: {"task": ("TASK_DIR",), "results": ("TASK_RESULTS_DIR",)},
    Stage.DELIVER: {},
    Stage.ASSEMBLE: {"results": ("TASK_RESULTS_DIR", "RESULTS_DIR"), "output": ("OUTPUT_DIR",)},
}


class Folders:
    """Every folder that the contract names for the stage, with its variables."""

    phase: Phase = "fetched"

    def prepare(self, attempt: Attempt) -> None:
        """Make the folders; all are the attempt's own, so all may be written to."""
        root = attempt.folder
        root.mkdir()
        for name, variables in LAYOUT[attempt.lease.stage].items():
            path = root / name
            path.mkdir()
            attempt.folders.append(path)
            attempt.env.update(dict.fromkeys(variables, str(path)))
            attempt.places.update(dict.fromkeys(variables, path))

    def cleanup(self, attempt: Attempt) -> None:
        """Remove them."""
        remove_tree(attempt.folder)
