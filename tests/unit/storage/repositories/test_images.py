"""Digests that jobs keep, and logins that workers may use."""

import pytest
from sqlalchemy import update

from gridloom.ids import new_uuid
from gridloom.manifests import Manifest
from gridloom.wire import ImageLogin
from storage.repositories import components, images, job_states, registry_tokens
from storage.tables import components as component_table
from tests.fixtures.fabric import component
from tests.fixtures.vault import a_vault

IMAGE = "registry.test/team/app:1"


def test_the_first_digest_of_an_image_counts(fabric):
    job_id, other = fabric.run(), fabric.run()
    assert fabric.write(images.pinned, job_id, "python") == ""
    assert fabric.write(images.pin, job_id, "python", "sha256:a") == "sha256:a"
    assert fabric.write(images.pin, job_id, "python", "sha256:b") == "sha256:a"
    assert fabric.write(images.pin, job_id, "node", "sha256:c") == "sha256:c"
    assert fabric.write(images.pinned, job_id, "python") == "sha256:a"
    assert fabric.write(images.pinned, other, "python") == ""
    assert fabric.write(images.pinned, job_id, "") == ""


def test_pins_go_with_the_jobs_bytes(fabric):
    job_id = fabric.run()
    fabric.write(images.pin, job_id, "python", "sha256:a")
    fabric.write(job_states.mark_purged, job_id)
    assert fabric.write(images.pinned, job_id, "python") == ""


@pytest.fixture
def upload(fabric):
    """Return a function that stores a component with this platform config and returns a plan's reference to it."""
    component_id = new_uuid()

    def save(**config):
        values = {"container": IMAGE, "private_image": True, "username": "ada", "token": "swordfish"} | config
        manifest = Manifest(name="app", version="1.0", platform_config=values)
        new = components.NewComponent(owner_id=fabric.owner(), manifest=manifest, schema=None, digest="")
        fabric.write(components.save, component_id, new)
        fabric.write(registry_tokens.keep, a_vault(), new)
        return component().model_copy(update={"id": component_id, "image": IMAGE})

    return save


def test_a_login_is_the_one_that_the_component_names_now(fabric, upload):
    ref = upload()
    assert fabric.write(images.login, a_vault(), ref) == ImageLogin(username="ada", token="swordfish")
    upload(token="new", container="registry.test/team/other:2")
    assert fabric.write(images.login, a_vault(), ref) == ImageLogin(username="ada", token="new")


@pytest.mark.parametrize(
    "config",
    [{"private_image": False}, {"token": ""}, {"container": "team/app:1"}, {"container": "evil.test/a/b"}],
)
def test_no_login_is_given_away(fabric, upload, config):
    ref = upload()
    upload(**config)
    assert fabric.write(images.login, a_vault(), ref) is None


def test_a_component_that_is_gone_has_no_login(fabric, upload):
    ref = upload()
    assert fabric.write(images.login, a_vault(), ref.model_copy(update={"id": new_uuid()})) is None
    gone = update(component_table).values(deleted_at=None, active=False)
    fabric.write(lambda connection: connection.execute(gone))
    assert fabric.write(images.login, a_vault(), ref) is not None
