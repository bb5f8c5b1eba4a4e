import io
import logging
import tarfile
import threading
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import timedelta
from functools import partial

import pytest
from docker.errors import ImageNotFound
from prometheus_client import CollectorRegistry
from structlog.testing import capture_logs

from gridloom.errors import AttemptFailed, LeaseLost, RunnerFailed
from gridloom.states import EndReason
from gridloom.wire import ImageLogin
from worker.runners.docker.daemon import open_client
from worker.runners.docker.images import Images
from worker.runners.docker.pull import pull
from worker.runners.protocol import ImageWanted

ANN, BOB = ImageLogin(username="ann-the-user", token="ann-the-token"), ImageLogin(username="bob", token="b0b")


class Machine:
    """A daemon, a registry, and a worker with its images."""

    def __init__(self, url, registry, folder):
        self.registry, self.folder = registry, folder
        self.opener = partial(open_client, url)
        self.client = self.opener()
        self.names = set()
        self.metrics = CollectorRegistry()
        self.images = self.worker("book")

    def worker(self, book, budget_mib=10_000):
        return Images(self.opener, budget_mib=budget_mib, book=self.folder / book, metrics=self.metrics)

    def add(self, size=100, **options):
        """Put an image that nobody has into the registry and return its name."""
        name = f"t/{uuid.uuid4().hex}"
        self.registry.add(name, files={"x": uuid.uuid4().bytes + bytes(size)}, **options)
        return self.note(f"{self.registry.host}/{name}:latest")

    def note(self, name):
        self.names.add(name)
        return name

    def have(self, name, owner="ann", login=None, pin="", images=None):
        wanted = ImageWanted(reference=name, owner=owner, login=login, pin=pin)
        return (images or self.images).have(wanted, lambda: True)

    def refused(self, name, **options):
        with pytest.raises(AttemptFailed) as failure:
            self.have(name, **options)
        assert failure.value.reason is EndReason.IMAGE_UNAVAILABLE
        return failure.value.message

    def id_of(self, name):
        try:
            return self.client.inspect_image(name)["Id"]
        except ImageNotFound:
            return None

    def private(self):
        """Put an image into the registry that only people with a login may pull."""
        self.registry.users = {ANN.username: ANN.token, BOB.username: BOB.token}
        return self.add()

    def expire(self, images=None):
        (images or self.images)._fresh.clear()
        (images or self.images)._flights._refusals.clear()

    def clear(self):
        ours = [it for it in self.client.images() if self.is_ours(it)]
        for image in ours:
            for name in [*(image["RepoTags"] or ()), *(image["RepoDigests"] or ())]:
                with suppress(ImageNotFound):
                    self.client.remove_image(name)
        self.client.close()

    def is_ours(self, image):
        names = [*(image["RepoTags"] or ()), *(image["RepoDigests"] or ())]
        return any(name.startswith(self.registry.host) or name in self.names for name in names)


@pytest.fixture
def machine(docker_url, registry, tmp_path):
    it = Machine(docker_url, registry, tmp_path)
    yield it
    it.clear()


def repository(name):
    return name.partition("/")[2].rpartition(":")[0]


def test_an_image_is_pulled_once_and_known_by_the_registrys_digest(machine):
    name = machine.add(env={"GREETING": "a=b", "EMPTY": ""}, size=1 << 20)
    first = machine.have(name)
    digest = next(it for _, it in machine.registry.manifests if it.startswith("sha256:"))
    assert first.digest == digest
    assert first.pulled_s > 0
    image = machine.images.inspect(digest)
    assert image.id == machine.id_of(name)
    assert image.env == {"GREETING": "a=b", "EMPTY": ""}
    assert 1 < image.size_mib < 1.1
    asked = len(machine.registry.seen)
    for expired in (False, True):
        if expired:
            machine.expire()
        again = machine.have(name, owner="bob")
        assert (again.digest, again.pulled_s) == (digest, 0.0)
    assert len(machine.registry.seen) == asked
    assert machine.metrics.get_sample_value("gridloom_image_pull_seconds_count") == 1


def test_a_name_without_tag_is_latest(machine):
    name = machine.add()
    assert machine.have(name.removesuffix(":latest")).digest == machine.have(name).digest


def test_an_image_that_the_operator_loaded_goes_by_its_id_and_is_open_to_all(machine):
    name = machine.note(f"gridloom-test-{uuid.uuid4().hex}:v1")
    with io.BytesIO() as layer:
        with tarfile.open(fileobj=layer, mode="w") as tar:
            tar.addfile(tarfile.TarInfo("x"))
        machine.client.import_image_from_data(layer.getvalue(), *name.split(":"))
    for owner in ("ann", "bob"):
        had = machine.have(name, owner=owner)
        assert had.digest == machine.id_of(name)
        machine.expire()
        assert machine.have(name, owner=owner, pin=had.digest).digest == had.digest
    machine.images._budget_mib = -1
    machine.images.evict()
    assert machine.id_of(name)


def test_a_pin_is_had_although_the_tag_moved(machine):
    name = machine.add()
    old = machine.have(name).digest
    new = machine.registry.add(repository(name), files={"x": b"newer"})
    machine.client.remove_image(name)
    machine.expire()
    assert machine.have(name, pin=old).digest == old
    assert machine.have(name).digest == new
    machine.expire()
    assert machine.have(name, pin=old).digest == old
    assert machine.images.inspect(old).id != machine.images.inspect(new).id


def test_a_pin_that_cannot_be_had_is_named(machine):
    name, pin = machine.add(), f"sha256:{'0' * 64}"
    machine.have(name)
    message = machine.refused(name, pin=pin)
    assert name.removesuffix(":latest") in message
    assert pin in message


@pytest.mark.parametrize("auth", ["basic", "token"])
def test_a_private_image_needs_its_owners_login(machine, auth):
    machine.registry.auth = auth
    name = machine.private()
    machine.registry.readers[repository(name)] = {ANN.username}
    assert "asked without a login" in machine.refused(name)
    wrong = ImageLogin(username=ANN.username, token="not-the-token")
    assert "with the login of its manifest" in machine.refused(name, login=wrong)
    machine.refused(name, owner="bob", login=BOB)
    assert machine.have(name, login=ANN).pulled_s > 0


@pytest.mark.parametrize("auth", ["basic", "token"])
def test_a_private_image_that_is_here_is_only_for_who_could_pull_it(machine, auth):
    machine.registry.auth = auth
    name = machine.private()
    had = machine.have(name, login=ANN)
    layers = machine.registry.layers_of(repository(name))
    by_id = f"any/thing@{machine.id_of(name)}"
    for asked in (name, f"{name}@{had.digest}"):
        machine.refused(asked, owner="eve")
        machine.refused(asked, owner="eve", pin=had.digest)
        machine.refused(asked, owner="eve", login=ImageLogin(username="eve", token="guess"))
    with pytest.raises(AttemptFailed):
        machine.have(by_id, owner="eve")
    assert machine.have(name, owner="bob", login=BOB, pin=had.digest).digest == had.digest
    assert machine.registry.layers_of(repository(name)) - layers <= 1  # the configuration, no layer
    machine.expire()
    for owner in ("ann", "bob"):  # shown once, a token may lapse
        assert machine.have(name, owner=owner).pulled_s == 0


def test_who_may_use_a_private_image_survives_the_worker_but_not_its_folder(machine):
    name = machine.private()
    machine.have(name, login=ANN)
    assert machine.have(name, images=machine.worker("book")).pulled_s == 0
    other = machine.worker("another-workers-book")
    machine.refused(name, images=other)
    assert machine.have(name, login=ANN, images=other).pulled_s > 0


def test_what_a_dead_worker_was_pulling_is_nobodys(machine, monkeypatch):
    name = machine.private()

    def die(*_):
        raise RunnerFailed("the daemon is gone")

    with monkeypatch.context() as patch:
        patch.setattr("worker.runners.docker.image_store.mark_private", die)
        with pytest.raises(RunnerFailed):
            machine.have(name, login=ANN)
    assert machine.id_of(name)
    machine.refused(name, owner="eve", images=machine.worker("book"))
    machine.refused(name, owner="eve", images=machine.worker("a-new-book"))


def test_an_image_on_its_way_by_login_is_not_for_others(machine, monkeypatch):
    name, arrived, go = machine.private(), threading.Event(), threading.Event()

    def late(client, image, login, go_on):
        pull(client, image, login, go_on)
        if login is not None:
            arrived.set()
            go.wait(10)

    monkeypatch.setattr("worker.runners.docker.images.pull", late)
    with ThreadPoolExecutor() as pool:
        anns = pool.submit(machine.have, name, login=ANN)
        assert arrived.wait(10)
        try:
            machine.refused(name, owner="eve")
            assert not any("gridloom-private" in it for it in machine.client.inspect_image(name)["RepoTags"])
        finally:
            go.set()
        assert anns.result().digest


def test_a_login_for_a_public_image_closes_it_to_nobody(machine):
    name = machine.private()
    machine.have(name, login=ANN)
    machine.registry.users = {}
    assert machine.have(name, owner="eve").pulled_s > 0
    machine.expire()
    assert machine.have(name, owner="mallory").pulled_s == 0


@pytest.mark.parametrize("login", [None, BOB])
def test_another_registry_that_knows_the_digests_opens_no_private_image(machine, login):
    name = machine.private()
    had = machine.have(name, login=ANN)
    evil = f"t/{uuid.uuid4().hex}"
    machine.registry.manifests[evil, "latest"] = machine.registry.manifests[repository(name), had.digest]
    machine.registry.readers[repository(name)] = {ANN.username}
    if login is None:
        machine.registry.users = {}
    evil = machine.note(f"{machine.registry.host}/{evil}:latest")
    assert "a private repository" in machine.refused(evil, owner="bob", login=login)
    machine.expire()
    machine.refused(evil, owner="bob", login=login)
    assert machine.have(evil, owner="ann", login=login or ANN).digest == had.digest


def test_logins_are_never_told(machine, caplog):
    caplog.set_level(logging.DEBUG)
    machine.registry.auth = "token"
    name = machine.private()
    wrong = ImageLogin(username=ANN.username, token="not-the-token")
    with capture_logs() as events:
        told = [machine.refused(name, login=wrong)]
        machine.have(name, login=ANN)
        machine.registry.failing = 500
        with pytest.raises(RunnerFailed) as failure:
            machine.have(machine.add(), login=ANN)
        told.append(repr(failure.value))
        nowhere = ImageWanted(reference="127.0.0.1:1/x:1", owner="ann", login=ANN)
        with pytest.raises(RunnerFailed) as failure:
            machine.images.have(nowhere, lambda: True)
        told += [repr(failure.value), caplog.text, repr(events), (machine.folder / "book").read_text()]
        told.append(repr(machine.images._flights.__dict__))
    assert events
    for word in told:
        for secret in (ANN.token, wrong.token):
            assert secret not in word
    for word in told[:-1]:
        assert ANN.username not in word


@pytest.mark.parametrize("failing", [500, 503, 429])
def test_a_registry_in_trouble_is_not_the_users_fault(machine, failing):
    name = machine.add()
    machine.registry.failing = failing
    with pytest.raises(RunnerFailed, match="can't be pulled now"):
        machine.have(name)
    machine.registry.failing = 0
    assert machine.have(name).digest


def test_what_a_registry_does_not_have_is_asked_for_once(machine):
    name = f"{machine.registry.host}/t/none:v1"
    assert machine.refused(name) == (
        f"image {name} can't be had: registry {machine.registry.host} refuses it or doesn't know it,"
        " asked without a login"
    )
    asked = len(machine.registry.seen)
    machine.refused(name)
    assert len(machine.registry.seen) == asked


def test_all_who_wait_share_one_pull(machine):
    name = machine.add()
    machine.registry.gate.clear()
    with ThreadPoolExecutor(5) as pool:
        asked = [pool.submit(machine.have, name) for _ in range(5)]
        while sum(it.waiting for it in machine.images._flights._flights.values()) < 5:
            time.sleep(0.01)
        machine.registry.gate.set()
        had = [it.result() for it in asked]
    assert len({it.digest for it in had}) == 1
    assert all(it.pulled_s > 0 for it in had)
    assert machine.metrics.get_sample_value("gridloom_image_pull_seconds_count") == 1


def test_who_must_not_go_on_stops_waiting_and_the_next_gets_it(machine):
    name = machine.add()
    machine.registry.gate.clear()
    with pytest.raises(LeaseLost):
        machine.images.have(ImageWanted(reference=name, owner="ann"), lambda: False)
    machine.registry.gate.set()
    assert machine.have(name).digest


def test_the_oldest_images_go_when_the_budget_is_exceeded(machine, monkeypatch):
    monkeypatch.setattr("worker.runners.docker.images._GRACE", timedelta(0))
    monkeypatch.setattr("worker.runners.docker.image_store.disk_used_percent", lambda client: 10.0)
    names = [machine.add(size=1 << 20) for _ in range(4)]
    digests = [machine.have(name).digest for name in names]
    machine.images.in_use(digests[0])
    machine.client.tag(names[1], *machine.note(f"gridloom-test-{uuid.uuid4().hex}:kept").split(":"))
    machine.images._budget_mib = 2.5
    machine.images.evict()
    assert [machine.id_of(name) is not None for name in names] == [True, True, False, False]
    assert machine.metrics.get_sample_value("gridloom_image_evictions_total") == 2
    assert machine.have(names[2]).pulled_s > 0
    machine.images.release(digests[0])
    machine.images._budget_mib = 0
    machine.images.evict()
    assert [machine.id_of(name) is not None for name in names] == [False, True, False, False]


def test_an_image_wanted_within_the_last_minute_stays_and_so_does_one_in_a_container(machine, monkeypatch):
    name = machine.private()
    machine.have(name, login=ANN)
    machine.images._budget_mib = 0
    machine.images.evict()
    assert machine.id_of(name)
    monkeypatch.setattr("worker.runners.docker.images._GRACE", timedelta(0))
    container = machine.client.create_container(machine.id_of(name), ["/x"])["Id"]
    image_id = machine.id_of(name)
    machine.images.evict()
    assert machine.id_of(image_id)
    machine.expire()
    assert machine.client.inspect_image(image_id)["RepoTags"] == [f"gridloom-private:{image_id[7:]}"]
    machine.client.remove_container(container)
    machine.images.evict()
    assert machine.id_of(image_id) is None


def test_a_full_disk_evicts_as_well(machine, monkeypatch):
    monkeypatch.setattr("worker.runners.docker.images._GRACE", timedelta(0))
    name = machine.add()
    machine.have(name)
    monkeypatch.setattr("worker.runners.docker.image_store.disk_used_percent", lambda client: 91.0)
    machine.images.evict()
    assert machine.id_of(name) is None


def test_a_machine_without_a_daemon_is_the_runners_fault(tmp_path):
    opener = partial(open_client, f"unix://{tmp_path}/none.sock")
    images = Images(opener, budget_mib=1, book=tmp_path / "book", metrics=CollectorRegistry())
    with pytest.raises(RunnerFailed, match="no container daemon answers"):
        images.have(ImageWanted(reference="x", owner="ann"), lambda: True)
    images.evict()


def test_an_image_nobody_asked_for_is_not_known(machine):
    with pytest.raises(RunnerFailed):
        machine.images.inspect(f"sha256:{'1' * 64}")
