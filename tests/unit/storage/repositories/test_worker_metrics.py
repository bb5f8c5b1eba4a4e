"""Each live worker's latest text, and nobody else's."""

from datetime import UTC, datetime, timedelta

from storage.repositories import worker_metrics


def test_the_latest_text_of_each_live_worker_is_kept(fabric):
    one, other = fabric.worker("b"), fabric.worker("a")
    fabric.write(worker_metrics.put, one, "x 1")
    fabric.write(worker_metrics.put, one, "x 2")
    fabric.write(worker_metrics.put, other, "y 1")
    assert [tuple(row) for row in fabric.write(worker_metrics.of_live, 60)] == [("a", "y 1"), ("b", "x 2")]
    fabric.set_worker(other, seen_at=datetime.now(UTC) - timedelta(minutes=2))
    assert [row.name for row in fabric.write(worker_metrics.of_live, 60)] == ["b"]


def test_what_an_earlier_incarnation_said_is_forgotten(fabric):
    fabric.write(worker_metrics.put, fabric.worker("a"), "x 1")
    again = fabric.worker("a")
    assert fabric.write(worker_metrics.of_live, 60) == []
    fabric.write(worker_metrics.put, again, "x 2")
    assert [row.text for row in fabric.write(worker_metrics.of_live, 60)] == ["x 2"]
