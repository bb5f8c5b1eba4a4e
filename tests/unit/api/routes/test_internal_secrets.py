"""A claim brings a task's secrets, or ends it with the reason why they can't be had."""

import pytest
from structlog.testing import capture_logs

from gridloom.states import EndReason, JobState, Stage
from storage.repositories import secrets
from storage.repositories.secrets import NewSecret
from storage.vault import Vault
from tests.fixtures.fabric import Fabric, plan_of, stage_of
from tests.unit.api.routes.test_internal import Worker


@pytest.fixture(autouse=True)
def logged():
    """Yield all that is logged: no value may be among it."""
    with capture_logs() as found:
        yield found
    assert "swordfish" not in str(found)
    assert "request_failed" not in {it["event"] for it in found}


@pytest.fixture
def fabric(anonymous):
    return Fabric(anonymous.context.database)


@pytest.fixture
def job_id(fabric, anonymous):
    """Return a job of one chunk that wants the secret `mine`, which its owner has."""
    new = NewSecret(owner_id=fabric.owner(), id="mine", given_type="other", secret_key="swordfish")
    fabric.write(secrets.save, anonymous.context.vault, new, 10)
    anonymous.context.store.put_bytes("pack", b"a")
    return fabric.run_chunks(1, plan_of(app=stage_of(secrets=("mine",))))


def test_the_answer_holds_the_value(anonymous, job_id):
    reply, _ = Worker(anonymous).claim(job_id, Stage.APP, 0)
    assert reply.work.env["mine"] == "swordfish"
    assert reply.work.secret_names == ("mine",)


def test_what_workers_warm_up_with_holds_no_value(anonymous, job_id):
    answer = Worker(anonymous)._client.post(
        "/internal/v1/warm",
        json={"job_id": job_id},
        headers={"Authorization": f"Bearer {Worker(anonymous).token}"},
    )
    assert answer.status_code == 200
    assert "swordfish" not in answer.text


def test_a_secret_that_is_gone_fails_the_job_and_says_which(anonymous, fabric, job_id):
    fabric.write(secrets.remove, fabric.owner(), "other", "mine")
    reply, _ = Worker(anonymous).claim(job_id, Stage.APP, 0)
    assert (reply.work, reply.claimed) == (None, ())
    task = fabric.task(job_id)
    assert (task.state, task.reason) == ("Failed", EndReason.BAD_COMPONENT)
    fabric.progress(job_id)
    job = fabric.job(job_id)
    assert job.state == JobState.FAILED
    assert "secret 'mine' does not exist" in job.error_message


def test_a_missing_master_key_is_tried_again_and_shown(anonymous, fabric, job_id):
    object.__setattr__(anonymous.context, "vault", Vault())
    reply, _ = Worker(anonymous).claim(job_id, Stage.APP, 0)
    assert reply.work is None
    assert fabric.task(job_id).state == "Scheduled"
    assert "master key 'old' is missing" in fabric.job(job_id).trouble
