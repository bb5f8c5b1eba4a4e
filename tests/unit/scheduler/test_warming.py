"""What a job will run, told to workers before its tasks reach them."""

import pytest

from gridloom.devices import Needs
from gridloom.errors import BadInput, NotFound
from gridloom.ids import new_uuid
from gridloom.states import JobState, Stage
from gridloom.wire import PinRequest, WarmReply
from scheduler import warming
from storage.repositories import images
from storage.vault import Vault
from tests.fixtures.fabric import component, plan_of, stage_of

DIGEST = "sha256:" + "a" * 64


def with_image(image, **changes):
    return stage_of(**changes).model_copy(
        update={"component": component().model_copy(update={"image": image})}
    )


def test_stages_that_start_processes_are_told_in_their_order(fabric):
    app = stage_of(Needs(cores=0.5))
    job_id = fabric.run(plan_of(app=app, partitioner=stage_of(passthrough=True)))
    reply = fabric.write(warming.wanted, Vault(), job_id)
    assert [it.stage for it in reply.stages] == [Stage.APP, Stage.ASSEMBLE]
    first = reply.stages[0]
    assert (first.owner_id, first.component, first.needs) == (fabric.owner(), app.component, Needs(cores=0.5))
    assert (first.login, first.image_pin) == (None, "")


def test_a_pin_is_told_as_well(fabric):
    job_id = fabric.run(plan_of(app=with_image("python")))
    fabric.write(images.pin, job_id, "python", DIGEST)
    assert [it.image_pin for it in fabric.write(warming.wanted, Vault(), job_id).stages] == ["", DIGEST, ""]


def test_a_job_that_does_not_run_wants_nothing(fabric):
    ended = fabric.run()
    fabric.set_job(ended, state=JobState.COMPLETE)
    unreadable = fabric.run()
    fabric.set_job(unreadable, plan={"of": "a later version"})
    for job_id in (ended, unreadable, fabric.draft(), new_uuid(), "x"):
        assert fabric.write(warming.wanted, Vault(), job_id) == WarmReply(stages=())


def test_the_first_digest_of_a_live_jobs_image_counts(fabric):
    job_id = fabric.run(plan_of(app=with_image("python")))
    request = PinRequest(job_id=job_id, image="python", digest=DIGEST)
    assert fabric.write(warming.pin, request) == DIGEST
    later = request.model_copy(update={"digest": "docker.io/library/python@sha256:" + "b" * 64})
    assert fabric.write(warming.pin, later) == DIGEST


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"image": "node"}, BadInput),
        ({"image": ""}, BadInput),
        ({"digest": ""}, BadInput),
        ({"digest": "sha256:abc"}, BadInput),
        ({"digest": DIGEST + "\n"}, BadInput),
        ({"job_id": new_uuid()}, NotFound),
    ],
)
def test_a_pin_that_fits_no_job_is_refused(fabric, changes, error):
    job_id = fabric.run(plan_of(app=with_image("python")))
    with pytest.raises(error):
        fabric.write(
            warming.pin, PinRequest(**{"job_id": job_id, "image": "python", "digest": DIGEST} | changes)
        )
    fabric.set_job(job_id, state=JobState.ABORTED)
    with pytest.raises(NotFound):
        fabric.write(warming.pin, PinRequest(job_id=job_id, image="python", digest=DIGEST))
