"""Unit tests of the pool's background threads."""

from threading import Event

from worker.pool.crew import Crew


def test_closing_is_never_behind_opening():
    crew, go, closed = Crew(1), Event(), Event()
    crew.open(lambda: go.wait(10))
    crew.close(closed.set)
    assert closed.wait(10)
    go.set()
    crew.stop()


def test_a_stopped_crew_opens_nothing_and_still_closes():
    crew, done = Crew(1), []
    crew.stop_opening()
    crew.open(lambda: done.append("opened"))
    crew.stop()
    crew.close(lambda: done.append("closed"))
    assert done == ["closed"]


def test_a_job_that_breaks_stops_nobody():
    crew, done = Crew(1), []
    crew.open(lambda: done.append(1 / 0))
    crew.open(lambda: done.append("next"))
    crew.close(lambda: done.append(1 / 0))
    crew.stop_opening()
    crew.stop()
    assert done in (["next"], [])
