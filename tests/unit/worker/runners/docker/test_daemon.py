import docker
import pytest
import requests

from gridloom.errors import RunnerFailed
from worker.runners.docker.daemon import Engine, daemon_errors, engine_of, open_client


class FakePodman:
    def version(self):
        return {"Components": [{"Name": "Podman Engine"}, {"Name": "Conmon"}]}


def test_without_a_daemon_the_failure_says_so_in_a_sentence(tmp_path):
    url = f"unix://{tmp_path}/none.sock"
    with pytest.raises(RunnerFailed) as failure:
        open_client(url)
    assert failure.value.message.startswith(f"no container daemon answers at {url}: ")


def test_the_daemon_is_found_by_its_variable(docker_url, monkeypatch):
    monkeypatch.setenv("DOCKER_HOST", docker_url)
    client = open_client()
    assert client.ping()
    assert engine_of(client) is Engine.DOCKER
    client.close()


def test_podman_is_told_apart():
    assert engine_of(FakePodman()) is Engine.PODMAN


@pytest.mark.parametrize(
    "error",
    [
        docker.errors.APIError("no", explanation="it is out of order"),
        docker.errors.DockerException("it is out of order"),
        requests.ReadTimeout("it is out of order"),
    ],
)
def test_every_error_of_the_daemon_is_the_runners(error):
    with pytest.raises(RunnerFailed, match=r"^doing this: .*it is out of order"), daemon_errors("doing this"):
        raise error
