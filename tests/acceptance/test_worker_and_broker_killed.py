"""SIGKILL of worker and broker at any moment of a job: nothing is lost, nothing is committed twice."""

import random
import sys

import pytest
import redis

from gridloom.states import JOB_FINAL, JobState
from tests.fixtures.live_fabric import until
from tests.fixtures.marathon import QUICK, Marathon, kill, then_goes_on

pytestmark = pytest.mark.timeout(300)

SEED = 20_260_731


def test_each_of_300_results_comes_once_while_broker_and_worker_are_killed(start_fabric):
    fabric = start_fabric(env=QUICK)
    job = Marathon(fabric, 300, hanging=["partitioner", "assembler"])
    chance = random.Random(SEED)
    sys.stdout.write(f"seed {SEED}\n")
    until(lambda: fabric.job(job.id)["numChunks"] >= 20, "the partitioner runs")
    assert fabric.job(job.id)["state"] == JobState.PARTITIONING
    fabric.kill("worker")
    moments = sorted(chance.sample(range(40, 280), 6))
    for moment, part in zip(moments, ["valkey", "worker"] * 3, strict=True):
        assert fabric.await_completed(job.id, moment)["state"] not in JOB_FINAL
        kill(fabric, job.id, part)
    job.await_assembly()
    fabric.kill("valkey")
    fabric.kill("worker")
    job.check()
    assert len(job.ledger("assembling")) == 2
    assert fabric.logged("was ended by signal 9") >= 9


def test_an_emptied_or_restarted_broker_costs_seconds(start_fabric):
    fabric = start_fabric()
    job = Marathon(fabric, 60)
    fabric.await_completed(job.id, 10)
    with redis.Redis(unix_socket_path=str(fabric.broker_socket)) as broker:
        flushed_s = then_goes_on(fabric, job.id, "FLUSHALL", broker.flushall)
    fabric.await_completed(job.id, 30)
    killed_s = then_goes_on(fabric, job.id, "SIGKILL of the valkey", lambda: fabric.kill("valkey"))
    job.check()
    assert max(flushed_s, killed_s) < 20
