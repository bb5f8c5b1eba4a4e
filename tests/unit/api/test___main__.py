import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from api.__main__ import check
from gridloom.errors import SetupFailed
from gridloom.settings import Settings
from tests.fixtures.children import child

ROOT = Path(__file__).parents[3]
GOOD = {"secret_key": "s" * 32, "join_token": "j"}
RUN = [sys.executable, "-P", "-m", "api"]


@pytest.fixture
def environment(tmp_path, monkeypatch):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    values = GOOD | {
        "port": port,
        "database_url": f"sqlite:///{tmp_path / 'gridloom.db'}",
        "store_url": f"file://{tmp_path / 'objects'}",
        "bootstrap_file": tmp_path / "credentials.json",
    }
    for name in [it for it in os.environ if it.startswith("GRIDLOOM_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    for name, value in values.items():
        monkeypatch.setenv(f"GRIDLOOM_{name.upper()}", str(value))
    return tmp_path


@pytest.mark.parametrize(
    ("change", "variable"),
    [
        ({"secret_key": "s" * 31}, "GRIDLOOM_SECRET_KEY"),
        ({"join_token": ""}, "GRIDLOOM_JOIN_TOKEN"),
        ({"host": "0.0.0.0"}, "GRIDLOOM_BEHIND_PROXY"),
        ({"host": "::"}, "GRIDLOOM_TLS_CERT"),
        ({"tls_cert": "/chain.pem"}, "GRIDLOOM_TLS_KEY"),
    ],
)
def test_a_control_plane_that_anyone_could_enter_does_not_start(change, variable):
    check(Settings(**GOOD))
    with pytest.raises(SetupFailed, match=variable):
        check(Settings(**GOOD | change))


@pytest.mark.parametrize(
    "change",
    [
        {"host": "localhost"},
        {"host": "::1"},
        {"host": "0.0.0.0", "behind_proxy": True},
        {"host": "0.0.0.0", "tls_cert": "/chain.pem", "tls_key": "/key.pem"},
    ],
)
def test_an_address_that_others_reach_needs_tls_or_a_proxy(change):
    check(Settings(**GOOD | change))


def test_it_serves_until_it_is_told_to_stop(environment):
    credentials = environment / "credentials.json"

    def ready():
        if not credentials.exists():
            return False
        try:
            return httpx.get(f"{json.loads(credentials.read_text())['url']}/readyz").status_code == 200
        except httpx.TransportError:
            return False

    with child(RUN, ready=ready, log=environment / "log") as process:
        process.terminate()
        assert process.wait(10) == 0


def test_what_keeps_it_from_starting_is_one_line(environment, monkeypatch):
    monkeypatch.setenv("GRIDLOOM_DATABASE_URL", f"sqlite:///{environment / 'missing' / 'gridloom.db'}")
    ended = subprocess.run(RUN, capture_output=True, text=True, cwd=environment, timeout=30, check=False)
    assert ended.returncode == 1
    assert (
        ended.stderr
        == "error: GRIDLOOM_DATABASE_URL: the database can't be used: unable to open database file\n"
    )
