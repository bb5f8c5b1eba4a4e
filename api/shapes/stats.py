"""Shapes of a customer's figures."""

from api.shapes.base import Shape


class StatsResponse(Shape):
    """How an account's jobs fare; `total_spent` in ByteChips."""

    total_jobs: int
    running_jobs: int
    completed_jobs: int
    failed_jobs: int
    total_tasks: int
    total_spent: float
    jobs_by_state: dict[str, int]
