from worker.deafness import DEAF_S, DeafWatch


class Worker:
    def __init__(self):
        self.now, self.heard, self.wanted, self.depths = 0.0, 0, {"cpu.c1.m1"}, {"cpu.c1.m1": 3}
        self.watch = DeafWatch(
            lambda: self.wanted,
            lambda _queues: self.depths,
            lambda: self.heard,
            lambda: None,
            lambda: self.now,
        )

    def look_after(self, seconds):
        self.now += seconds
        return self.watch.look()


def test_a_worker_is_deaf_when_hints_wait_long_and_none_comes():
    worker = Worker()
    assert not worker.look_after(0)
    assert not worker.look_after(DEAF_S - 1)
    assert worker.look_after(1)


def test_a_hint_that_comes_proves_the_opposite():
    worker = Worker()
    worker.look_after(0)
    worker.heard += 1
    assert not worker.look_after(DEAF_S)
    assert not worker.look_after(DEAF_S - 1)


def test_a_busy_worker_an_empty_queue_and_a_broker_that_is_away_prove_nothing():
    for change in ({"wanted": None}, {"depths": {"cpu.c1.m1": 0}}, {"depths": None}):
        worker = Worker()
        worker.look_after(0)
        vars(worker).update(change)
        assert not worker.look_after(2 * DEAF_S)
