"""Which variables a task gets of its owner's secrets, and what happens when they can't be had."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from sqlalchemy import update

from api import injection
from gridloom.buckets import BucketPlace
from gridloom.destinations import DestinationSpec
from gridloom.errors import AttemptFailed
from gridloom.ids import new_uuid
from gridloom.manifests import Manifest
from gridloom.net_guard import PrivateHosts
from gridloom.sources import SourceSpec
from gridloom.states import EndReason, Stage
from gridloom.wire import ClaimRequest, ImageLogin
from scheduler import claims
from storage.bucket_params import KINDS
from storage.repositories import components, inline_credentials, jobs, registry_tokens, secrets
from storage.repositories.components import NewComponent
from storage.repositories.secrets import Credentials, NewSecret
from storage.tables import components as component_table
from storage.tables import inline_credentials as inline_table
from storage.tables import secrets as secret_table
from storage.vault import Vault
from tests.fixtures.fabric import Fabric, component, plan_of, stage_of
from tests.fixtures.tables import open_database
from tests.fixtures.vault import NEW, a_vault


@pytest.fixture
def fabric(tmp_path):
    database = open_database(f"sqlite:///{tmp_path / 'gridloom.db'}")
    yield Fabric(database)
    database.close()


@pytest.fixture
def save(fabric):
    def saved(secret_id, given_type="other", owner="ada", **changes):
        values = {"secret_key": f"key of {secret_id}"} | changes
        new = NewSecret(owner_id=fabric.owner(owner), id=secret_id, given_type=given_type, **values)
        fabric.write(secrets.save, a_vault(), new, 10)

    return saved


def won_of(fabric, *named, **changes):
    app = stage_of(secrets=named, **changes)
    job_id, worker_id = fabric.run_chunks(1, plan_of(app=app)), fabric.worker()
    request = ClaimRequest(job_id=job_id, stage=Stage.APP, chunks=(0,))
    return fabric.write(claims.claim, worker_id, request, fabric.settings)


def complete(fabric, won, vault=None, job_id="", stage=Stage.PARTITION):
    request = ClaimRequest(job_id=job_id, stage=stage, chunks=(0,))
    return fabric.write(
        injection.complete, vault or a_vault(), request, won.planned, won.work, allow=PrivateHosts.parse("")
    )


def credentials(secret_id, secret_type="other", access_key=""):
    return Credentials(
        id=secret_id,
        secret_type=secret_type,
        access_key=access_key,
        secret_key=f"key of {secret_id}",
        params={},
    )


def test_credentials_come_as_two_variables_and_free_ones_as_one():
    env, hidden = injection.variables([credentials("s3", "aws", "AKIA"), credentials("Token")])
    assert env == {"s3_ACCESS_KEY": "AKIA", "s3_SECRET_KEY": "key of s3", "Token": "key of Token"}
    assert hidden == ("Token", "s3_SECRET_KEY")


def test_an_id_that_is_no_name_has_an_alias_which_gives_way():
    env, hidden = injection.variables(
        [credentials("my-ö.x"), credentials("a_b"), credentials("a-b"), credentials("s-3", "gcp", "A")]
    )
    assert env == {
        "my-ö.x": "key of my-ö.x",
        "my___x": "key of my-ö.x",
        "a_b": "key of a_b",
        "a-b": "key of a-b",
        "s-3_ACCESS_KEY": "A",
        "s_3_ACCESS_KEY": "A",
        "s-3_SECRET_KEY": "key of s-3",
        "s_3_SECRET_KEY": "key of s-3",
    }
    assert set(env) - set(hidden) == {"s-3_ACCESS_KEY", "s_3_ACCESS_KEY"}


def test_work_gets_the_job_owners_secrets_that_are_named_and_no_others(fabric, save):
    save("mine")
    save("other")
    save("mine", owner="bob", secret_key="bob's")
    won = won_of(fabric, "mine")
    work = complete(fabric, won)
    assert {name: work.env[name] for name in work.env if name != "APP_PARAMS"} == {"mine": "key of mine"}
    assert work.secret_names == ("mine",)
    assert "key of" not in repr(work) + repr(won)


def test_a_secret_can_not_replace_parameters(fabric, save):
    save("APP_PARAMS")
    work = complete(fabric, won_of(fabric, "APP_PARAMS"))
    assert work.env["APP_PARAMS"] == "{}"


def test_neither_plan_nor_row_holds_a_value(fabric, save):
    save("mine")
    won = won_of(fabric, "mine")
    complete(fabric, won)
    with fabric.database.read() as connection:
        found = [
            connection.exec_driver_sql(f"SELECT * FROM {table}").all()
            for table in ("jobs", "tasks", "secrets")
        ]
    assert "key of" not in str(found)


@pytest.mark.parametrize("how", ["gone", "expired", "doubled"])
def test_a_secret_that_can_not_be_used_any_more_ends_the_attempt_for_good(fabric, save, how):
    save("mine")
    won = won_of(fabric, "mine")
    if how == "gone":
        fabric.write(secrets.remove, fabric.owner(), "other", "mine")
    elif how == "expired":
        past = update(secret_table).values(expires_at=datetime(2020, 1, 1, tzinfo=UTC))
        fabric.write(lambda connection: connection.execute(past))
    else:
        save("mine", "gcp")
    with pytest.raises(AttemptFailed, match="secret 'mine'") as caught:
        complete(fabric, won)
    assert caught.value.reason is EndReason.BAD_COMPONENT


def test_a_changed_envelope_ends_the_attempt_for_good(fabric, save):
    save("mine")
    fabric.write(lambda connection: connection.execute(update(secret_table).values(version=5)))
    with pytest.raises(AttemptFailed) as caught:
        complete(fabric, won_of(fabric, "mine"))
    assert caught.value.reason is EndReason.BAD_COMPONENT


@pytest.mark.parametrize("vault", [Vault(), a_vault(NEW)])
def test_a_missing_master_key_is_the_fabrics_own_fault(fabric, save, vault):
    save("mine")
    with pytest.raises(AttemptFailed, match="master key 'old' is missing") as caught:
        complete(fabric, won_of(fabric, "mine"), vault)
    assert caught.value.reason is EndReason.RUNNER_FAILED


def test_a_private_image_comes_with_the_login_that_nothing_else_holds(fabric):
    config = {"container": "team/app", "private_image": True, "username": "ada", "token": "swordfish"}
    manifest = Manifest(name="app", version="1.0", platform_config=config)
    new = NewComponent(owner_id=fabric.owner(), manifest=manifest, schema=None, digest="")
    private = new_uuid()
    fabric.write(components.save, private, new)
    fabric.write(registry_tokens.keep, a_vault(), new)
    ref = component().model_copy(update={"id": private, "image": "team/app"})
    app = stage_of(private_image=True).model_copy(update={"component": ref})
    job_id, worker_id = fabric.run_chunks(1, plan_of(app=app)), fabric.worker()
    request = ClaimRequest(job_id=job_id, stage=Stage.APP, chunks=(0,))
    won = fabric.write(claims.claim, worker_id, request, fabric.settings)
    work = complete(fabric, won)
    assert work.login == ImageLogin(username="ada", token="swordfish")
    assert "swordfish" not in repr(work)
    with fabric.database.read() as connection:
        row = connection.execute(component_table.select()).one()
    assert "swordfish" not in str(row) + str(fabric.job(job_id))


def with_password(fabric):
    source = SourceSpec(descriptor="url", params={"url": "https://a.test/f", "username": "u"})
    job_id = fabric.run(plan_of(source=source))
    holder = jobs.holder_of(fabric.owner(), job_id)
    fabric.write(inline_credentials.keep, a_vault(), holder, "data_source", [(("password",), "swordfish")])
    request = ClaimRequest(job_id=job_id, stage=Stage.PARTITION, chunks=(0,))
    return job_id, fabric.write(claims.claim, fabric.worker(), request, fabric.settings)


def test_who_fetches_the_source_gets_the_secrets_that_its_params_leave_out(fabric):
    job_id, won = with_password(fabric)
    work = complete(fabric, won, job_id=job_id)
    assert work.source.params == {"url": "https://a.test/f", "username": "u", "password": "swordfish"}
    assert "swordfish" not in repr(work) + str(fabric.job(job_id))
    assert "swordfish" not in str(work.env)


@pytest.mark.parametrize(
    ("vault", "moved", "reason"),
    [(Vault(), False, EndReason.RUNNER_FAILED), (a_vault(), True, EndReason.DATA_SOURCE)],
)
def test_a_source_whose_secrets_do_not_open_ends_the_attempt(fabric, vault, moved, reason):
    job_id, won = with_password(fabric)
    if moved:
        garbled = update(inline_table).values(sealed=b"\x01" + bytes(200))
        fabric.write(lambda connection: connection.execute(garbled))
    with pytest.raises(AttemptFailed) as caught:
        complete(fabric, won, vault, job_id)
    assert caught.value.reason is reason


def bucket_params(**changes):
    return {"bucketName": "books", "name": "in/"} | changes


def complete_ends(fabric, descriptor, *, inline=None, stage=Stage.PARTITION, **params):
    """Complete work with such a source and destination, whose secrets were written inline where given."""
    job_id = fabric.run(plan_of(source=SourceSpec(descriptor=descriptor, params=bucket_params(**params))))
    request = ClaimRequest(job_id=job_id, stage=Stage.PARTITION, chunks=(0,))
    won = fabric.write(claims.claim, fabric.worker(), request, fabric.settings)
    unopened = BucketPlace(kind=KINDS[descriptor], bucket="books")
    destination = DestinationSpec(descriptor=descriptor, params=bucket_params(**params), place=unopened)
    for end in inline_credentials.ENDS if inline else ():
        holder = jobs.holder_of(fabric.owner(), job_id)
        found = [((name,), inline) for name in ("secretKey", "sessionToken")]
        fabric.write(inline_credentials.keep, a_vault(), holder, end, found)
    won = replace(won, work=won.work.model_copy(update={"destination": destination}))
    return complete(fabric, won, job_id=job_id, stage=stage)


@pytest.mark.parametrize(("descriptor", "given_type"), [("s3", "aws"), ("aws", "s3"), ("storj", "storj")])
def test_both_ends_come_with_the_keys_of_the_secret_that_they_name(fabric, save, descriptor, given_type):
    save("lake", given_type, access_key="AK", params={"sessionToken": "st"})
    work = complete_ends(fabric, descriptor, secret_id="lake", cloudRegion="eu", accessKey="older")
    keys = {"access_key": "AK", "secret_key": "key of lake", "session_token": "st"}
    place = BucketPlace(kind=KINDS[descriptor], bucket="books", region="eu", **keys)
    assert (work.source.place, work.destination.place) == (place, place)
    assert "key of lake" not in repr(work) + str(work.source.params) + str(work.destination.params)


def test_keys_written_inline_go_to_the_place_alone(fabric):
    work = complete_ends(fabric, "gcp", inline="swordfish", accessKey="AK")
    place = work.source.place
    assert (place.access_key, place.secret_key, place.session_token) == ("AK", "swordfish", "swordfish")
    assert work.destination.place == work.source.place
    assert "swordfish" not in repr(work) + str(work.source.params) + str(work.destination.params)


def test_who_runs_a_chunk_is_told_the_bucket_and_no_names(fabric):
    works = {stage: complete_ends(fabric, "gcp", stage=stage) for stage in (Stage.PARTITION, Stage.APP)}
    assert {stage: work.source.params.get("name") for stage, work in works.items()} == {
        Stage.PARTITION: "in/",
        Stage.APP: None,
    }
    assert {work.source.place.bucket for work in works.values()} == {"books"}


def test_a_public_bucket_is_asked_as_anybody(fabric):
    assert complete_ends(fabric, "gcp").source.place == BucketPlace(kind="gcp", bucket="books")


@pytest.mark.parametrize(
    ("how", "problem"),
    [
        ("gone", "secret_id: there is no secret 'lake' of type s3"),
        ("others", "secret_id: there is no secret 'lake' of type s3"),
        ("gcp", "there is no secret 'lake' of type s3; the one of that id is of type gcp"),
        ("expired", "secret_id: secret 'lake' expired on 2020-01-01"),
        ("keyless", "secret_id: secret 'lake' has no access key"),
    ],
)
@pytest.mark.parametrize("end", ["source", "destination"])
def test_a_secret_that_lets_nobody_in_ends_the_attempt_and_is_named(fabric, save, end, how, problem):
    if how != "gone":
        owner = "bob" if how == "others" else "ada"
        past = datetime(2020, 1, 1, tzinfo=UTC) if how == "expired" else None
        kind, key = ("gcp" if how == "gcp" else "aws"), ("" if how == "keyless" else "AK")
        save("lake", kind, owner, expires_at=past, access_key=key)
    job_id = fabric.run(plan_of(source=SourceSpec(descriptor="bypass")))
    request = ClaimRequest(job_id=job_id, stage=Stage.PARTITION, chunks=(0,))
    won = fabric.write(claims.claim, fabric.worker(), request, fabric.settings)
    params = bucket_params(secret_id="lake")
    if end == "source":
        changed = {"source": SourceSpec(descriptor="s3", params=params)}
    else:
        place = BucketPlace(kind="aws", bucket="books")
        changed = {"destination": DestinationSpec(descriptor="s3", params=params, place=place)}
    won = replace(won, work=won.work.model_copy(update=changed))
    with pytest.raises(AttemptFailed, match=problem) as caught:
        complete(fabric, won, job_id=job_id)
    reason = EndReason.DATA_SOURCE if end == "source" else EndReason.DESTINATION_REFUSED
    assert caught.value.reason is reason
