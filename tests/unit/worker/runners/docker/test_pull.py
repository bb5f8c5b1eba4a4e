import pytest
from structlog.testing import capture_logs

from gridloom.errors import RunnerFailed
from gridloom.states import EndReason
from gridloom.wire import ImageLogin
from worker.runners.docker.pull import Progress, _failure, confirm
from worker.runners.docker.references import Reference

IMAGE = Reference.parse("registry.example/tool:v1")
LOGIN = ImageLogin(username="ann", token="s3cr3t")


class FakePodman:
    def version(self):
        return {"Components": [{"Name": "Podman Engine"}]}


@pytest.mark.parametrize(
    "message",
    [
        "pull access denied for x, repository does not exist or may require 'docker login': denied: requested access",
        'Head "https://registry.example/v2/tool/manifests/v1": no basic auth credentials',
        'Head "https://registry.example/v2/tool/manifests/v1": unauthorized: incorrect username or password',
        "manifest for registry.example/tool:v1 not found: manifest unknown: manifest unknown",
        "name unknown: repository name not known to registry",
        "no matching manifest for linux/arm64/v8 in the manifest list entries",
        "error parsing HTTP 403 response body: Forbidden",
    ],
)
def test_what_the_registry_refuses_or_does_not_know_is_unavailable(message):
    failure = _failure(IMAGE, None, message)
    assert failure.reason is EndReason.IMAGE_UNAVAILABLE
    assert "registry.example/tool:v1" in failure.message


@pytest.mark.parametrize(
    "message",
    [
        'Get "https://registry.example/v2/": dial tcp: lookup registry.example on 192.0.2.53:53: no such host',
        'Get "https://registry.example/v2/": dial tcp 192.0.2.7:443: connect: connection refused',
        "toomanyrequests: You have reached your pull rate limit",
        "received unexpected HTTP status: 503 Service Unavailable",
        "net/http: TLS handshake timeout",
    ],
)
def test_trouble_on_the_way_is_the_runners_and_says_what(message):
    failure = _failure(IMAGE, None, message)
    assert isinstance(failure, RunnerFailed)
    assert message in failure.message


def test_a_full_disk_is_told():
    message = "write /var/lib/docker/tmp/GetImageBlob1: no space left on device"
    assert _failure(IMAGE, None, message).reason is EndReason.DISK_FULL


def test_nothing_of_a_login_is_passed_on():
    message = 'Get "https://auth.example/token?account=ann&scope=x": s3cr3t of ann: EOF'
    told = _failure(IMAGE, LOGIN, message).message
    assert "ann" not in told
    assert "s3cr3t" not in told
    assert "https://auth.example/token" in told


def test_progress_is_logged_every_few_seconds():
    clock = [0.0]
    progress = Progress(IMAGE, now=lambda: clock[0])
    half = {"id": "l1", "status": "Downloading", "progressDetail": {"current": 1 << 20, "total": 2 << 20}}
    with capture_logs() as events:
        progress.take({"status": "Pulling from tool", "id": "v1"})
        progress.take(half)
        assert events == []
        clock[0] = 6.0
        progress.take({"id": "l2", "status": "Waiting"})
        progress.take({"id": "l1", "status": "Download complete", "progressDetail": {}})
        clock[0] = 12.0
        progress.take({"id": "l2", "status": "Extracting"})
    assert [(it["event"], it["got_mib"], it["known_mib"]) for it in events] == [
        ("image_pulling", 1.0, 2.0),
        ("image_pulling", 2.0, 2.0),
    ]


def test_podman_asks_its_registry_at_every_pull():
    confirm(FakePodman(), IMAGE, LOGIN)
