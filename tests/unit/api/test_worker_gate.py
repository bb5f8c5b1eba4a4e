"""The join token opens registration alone, a worker's own token everything else until it is replaced."""

import pytest

from api import worker_gate
from api.worker_gate import WorkerGate
from gridloom.errors import Unauthorized
from storage.repositories import workers
from tests.fixtures.clock import Clock
from tests.fixtures.fabric import Fabric
from tests.fixtures.tables import open_database


@pytest.fixture
def clock(monkeypatch):
    found = Clock()
    monkeypatch.setattr(worker_gate, "time", found)
    return found


@pytest.fixture
def fabric(tmp_path):
    database = open_database(f"sqlite:///{tmp_path / 'db'}")
    yield Fabric(database)
    database.close()


@pytest.fixture
def gate(fabric):
    return WorkerGate(fabric.database, "join")


@pytest.fixture
def worker_id(fabric):
    found = fabric.worker()
    fabric.set_worker(found, token_hash=workers.token_hash("own"))
    return found


@pytest.mark.parametrize("header", ["", "Bearer", "Bearer ", "Bearer other", "joi", "Bearer größe"])
def test_another_join_token_is_refused(gate, header):
    with pytest.raises(Unauthorized, match="GRIDLOOM_JOIN_TOKEN"):
        gate.check_join(header)


def test_a_fabric_without_a_join_token_lets_nobody_in(fabric):
    with pytest.raises(Unauthorized):
        WorkerGate(fabric.database, "").check_join("Bearer ")


def test_the_join_token_is_no_workers_and_a_workers_none_to_join(gate, worker_id):
    gate.check_join("Bearer join")
    assert gate.worker("Bearer own") == worker_id
    with pytest.raises(Unauthorized, match="not registered"):
        gate.worker("Bearer join")
    with pytest.raises(Unauthorized):
        gate.check_join("Bearer own")


def test_a_replaced_workers_token_is_worthless_within_seconds(fabric, gate, worker_id, clock):
    assert gate.worker("Bearer own") == worker_id
    fabric.worker()
    clock.now += 6
    with pytest.raises(Unauthorized, match="replaced"):
        gate.worker("Bearer own")


def test_a_heartbeat_costs_no_query_for_its_token(fabric, gate, worker_id, clock, monkeypatch):
    gate.worker("Bearer own")
    monkeypatch.setattr(fabric.database, "read", None)
    clock.now += 4
    assert gate.worker("Bearer own") == worker_id
