"""A claim answers with everything that a worker needs to run what it won."""

import json

from gridloom.devices import Needs
from gridloom.sources import SourceSpec
from gridloom.states import JobState, Stage
from gridloom.wire import ClaimRequest
from scheduler import claims
from storage.repositories import cache, images
from tests.fixtures.fabric import chunk, component, plan_of, result, stage_of


def test_what_was_won_comes_with_the_work_all_tasks_share(fabric):
    app = stage_of(Needs(cores=0.5)).model_copy(update={"params": {"größe": 1}})
    job_id, worker_id = fabric.run_chunks(2, plan_of(app=app, task_timeout_s=7)), fabric.worker()
    request = ClaimRequest(job_id=job_id, stage=Stage.APP, chunks=(1, 0))
    won = fabric.write(claims.claim, worker_id, request, fabric.settings)
    assert [(row.chunk, row.attempt, row.chunk_key, row.chunk_size) for row in won.rows] == [
        (0, 1, "pack", 1),
        (1, 1, "pack", 1),
    ]
    assert won.work.owner_id == fabric.owner()
    assert json.loads(won.work.env["APP_PARAMS"]) == {"größe": 1}
    assert (won.work.needs, won.work.timeout_s, won.work.source) == (Needs(cores=0.5), 7, None)


def test_a_claim_that_wins_nothing_says_so(fabric):
    job_id, worker_id = fabric.run_chunks(1), fabric.worker()
    fabric.claim(worker_id, job_id, Stage.APP, 0)
    request = ClaimRequest(job_id=job_id, stage=Stage.APP, chunks=(0,))
    won = fabric.write(claims.claim, worker_id, request, fabric.settings)
    assert (won.work, won.rows) == (None, ())


def test_the_partitioner_gets_the_source_and_its_bounds_and_the_job_uploads(fabric):
    job_id, worker_id = fabric.run(plan_of(task_timeout_s=7)), fabric.worker()
    request = ClaimRequest(job_id=job_id, stage=Stage.PARTITION, chunks=(0,))
    work = fabric.write(claims.claim, worker_id, request, fabric.settings).work
    assert work.source.descriptor == "url"
    assert (work.timeout_s, work.max_chunks) == (None, fabric.settings.max_chunks)
    assert list(work.env) == ["PARTITIONER_PARAMS"]
    assert fabric.state(job_id) is JobState.UPLOADING


def test_a_second_partition_attempt_takes_the_job_nowhere_back(fabric):
    job_id, worker_id = fabric.run(), fabric.worker()
    fabric.claim(worker_id, job_id, Stage.PARTITION, 0)
    fabric.register(worker_id, job_id, 1, chunk(0))
    fabric.worker()
    fabric.skip_waits()
    assert fabric.claim(fabric.worker("b"), job_id, Stage.PARTITION, 0) == {0: 2}
    assert fabric.state(job_id) is JobState.PARTITIONING


def test_a_claim_tells_how_much_else_is_open_and_which_digest_counts(fabric):
    app = stage_of().model_copy(update={"component": component().model_copy(update={"image": "python"})})
    job_id, worker_id = fabric.run_chunks(5, plan_of(app=app)), fabric.worker()
    fabric.write(images.pin, job_id, "python", "sha256:a")
    request = ClaimRequest(job_id=job_id, stage=Stage.APP, chunks=(0, 1))
    work = fabric.write(claims.claim, worker_id, request, fabric.settings).work
    assert (work.waiting, work.image_pin, work.login) == (3, "sha256:a", None)
    fabric.commit(worker_id, job_id, Stage.APP, result(0, 1))
    last = ClaimRequest(job_id=job_id, stage=Stage.APP, chunks=(2,))
    assert fabric.write(claims.claim, worker_id, last, fabric.settings).work.waiting == 3


def test_a_claim_tells_which_uploads_the_caches_hold(fabric):
    job_id, worker_id = fabric.run_chunks(1), fabric.worker()
    for scope, path in ((fabric.owner(), "a"), (fabric.owner(), "b"), (cache.SHARED, "a"), ("other", "a")):
        fabric.write(put, scope, path)
    request = ClaimRequest(job_id=job_id, stage=Stage.APP, chunks=(0,))
    work = fabric.write(claims.claim, worker_id, request, fabric.settings).work
    assert (work.cache_version, work.shared_cache_version) == (2, 1)


def put(connection, scope, path):
    cache.put(connection, scope, path, size=1, sha256="s" * 64, key="k", limit_bytes=9)


def test_who_runs_objects_of_the_source_is_told_where_it_is(fabric):
    bucket = SourceSpec(descriptor="gcp", params={"bucketName": "b", "name": "in/"})
    passthrough = stage_of(passthrough=True)
    for plan, told in (
        (plan_of(source=bucket, partitioner=passthrough), True),
        (plan_of(source=bucket), False),
        (plan_of(partitioner=passthrough), False),
    ):
        job_id, worker_id = fabric.run_chunks(1, plan), fabric.worker()
        request = ClaimRequest(job_id=job_id, stage=Stage.APP, chunks=(0,))
        work = fabric.write(claims.claim, worker_id, request, fabric.settings).work
        assert (work.source == bucket) is told
