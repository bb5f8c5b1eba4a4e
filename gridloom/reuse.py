"""Why a task took an earlier task's result instead of running, or why it did not."""

from pydantic import BaseModel, ConfigDict


class ReuseNote(BaseModel):
    """`job_id` and `chunk` name the task whose result was taken; an empty `job_id` means that none was."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    reason: str
    job_id: str = ""
    chunk: int = 0

    @property
    def hit(self) -> bool:
        """Whether an earlier result was taken."""
        return bool(self.job_id)
