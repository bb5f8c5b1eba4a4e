"""Tests of `gridloom up` with stand-ins for the control plane, the scheduler and the worker."""

import json
import os
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from cli.up import Console, Place, answers_ready, specs, usable_port
from gridloom.errors import SetupFailed
from tests.fixtures.certificates import write_certificate

ROOT = Path(__file__).parents[3]
API = """
import json, os, signal, sys
from http.server import BaseHTTPRequestHandler, HTTPServer
with open(os.environ["GRIDLOOM_BOOTSTRAP_FILE"], "w") as file:
    json.dump({"url": "http://stale", "apiKey": "k"}, file)
class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200 if self.path == "/readyz" else 404)
        self.end_headers()
    def log_message(self, *_):
        pass
signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
print("pid", os.getpid(), flush=True)
HTTPServer((os.environ["GRIDLOOM_HOST"], int(os.environ["GRIDLOOM_PORT"])), Handler).serve_forever()
"""
IDLE = """
import os, time
secrets = [
    name
    for name in ("GRIDLOOM_SECRET_KEY", "GRIDLOOM_DATABASE_URL", "GRIDLOOM_SMTP_URL", "GRIDLOOM_OIDC_CLIENT_SECRET")
    if name in os.environ
]
print("event=worker_ready runner=mock isolation=none knows=" + ",".join(secrets), flush=True)
print("pid", os.getpid(), flush=True)
time.sleep(600)
"""


@pytest.fixture
def command(tmp_path, monkeypatch):
    for package, text in (("api", API), ("scheduler", IDLE), ("worker", IDLE)):
        (tmp_path / "fakes" / package).mkdir(parents=True)
        (tmp_path / "fakes" / package / "__init__.py").touch()
        (tmp_path / "fakes" / package / "__main__.py").write_text(text)
    python_path = f"{tmp_path / 'fakes'}{os.pathsep}{ROOT}"
    arguments = [
        sys.executable,
        "-P",
        "-m",
        "cli.main",
        "up",
        "--data-dir",
        tmp_path / "d",
        "--port",
        "0",
        "--json",
    ]
    with tempfile.TemporaryDirectory(prefix="gl-") as sockets:  # tmp_path is too long for a socket's name
        env = os.environ | {"PYTHONPATH": python_path, "XDG_RUNTIME_DIR": sockets}
        yield {"args": arguments, "env": env, "text": True}


@contextmanager
def running(command):
    with subprocess.Popen(**command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        try:
            yield process, json.loads(process.stdout.readline())
        finally:
            process.kill()


class Ready(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_):
        pass


@contextmanager
def running_server(server):
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def pids_in(stderr):
    return [int(line.split()[-1]) for line in stderr.splitlines() if line.split()[1:2] == ["pid"]]


def is_alive(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_it_says_where_it_is_and_a_stop_signal_ends_it_well(command, tmp_path):
    secrets = {"GRIDLOOM_SMTP_URL": "smtp://u:p@mail.test", "GRIDLOOM_OIDC_CLIENT_SECRET": "swordfish"}
    command["env"] |= secrets
    with running(command) as (process, ready):
        known = json.loads((tmp_path / "d/credentials.json").read_text())
        assert ready["runner"] == "mock"
        assert known == {"url": ready["url"], "apiKey": "k"}
        process.terminate()
        out, err = process.communicate()
        assert process.returncode == 0
    assert out == ""
    assert "[api] pid" in err
    assert "[worker] event=worker_ready runner=mock isolation=none knows=\n" in err
    assert (
        "[scheduler] event=worker_ready runner=mock isolation=none knows=GRIDLOOM_SECRET_KEY,GRIDLOOM_DATABASE_URL\n"
        in err
    )
    assert not any(is_alive(pid) for pid in pids_in(err))


def test_a_second_one_on_the_same_folder_says_so(command, tmp_path):
    with running(command) as (process, ready):
        second = subprocess.run(**command, capture_output=True, check=False)
        assert second.returncode == 1
        assert (
            second.stderr
            == f"error: {tmp_path / 'd'} is in use by another gridloom up (process {ready['pid']})\n"
        )
        assert ready["pid"] == process.pid


@pytest.mark.skipif(sys.platform != "linux", reason="the tie to the parent is Linux's")
def test_a_kill_takes_everything_and_the_folder_is_free_again(command):
    with running(command) as (process, _):
        process.kill()
        _, err = process.communicate()
    deadline = time.monotonic() + 10
    while any(is_alive(pid) for pid in pids_in(err)):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    with running(command) as (process, _):
        process.send_signal(signal.SIGINT)
        assert process.wait() == 0


def test_commands_find_it_afterwards(command, tmp_path):
    with running(command):
        pass
    assert (tmp_path / "home/state/gridloom/data-dir").read_text() == f"{tmp_path / 'd'}\n"


def test_a_taken_port_is_told_before_anything_starts(command, tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        command["args"][-2] = str(port)
        ended = subprocess.run(**command, capture_output=True, check=False)
    assert ended.returncode == 1
    assert ended.stderr == f"error: can't listen on 127.0.0.1, port {port}: Address already in use\n"
    assert not (tmp_path / "d/valkey").exists()


def test_the_supervisor_stays_small(command):
    with running(command) as (process, _):
        pages = int(Path(f"/proc/{process.pid}/statm").read_text().split()[1])
        assert pages * os.sysconf("SC_PAGE_SIZE") < 30 * 2**20


def test_port_0_is_any_free_one_and_a_bad_host_is_named():
    assert usable_port("127.0.0.1", 0) > 0
    with pytest.raises(SetupFailed, match=r"203\.0\.113\.1, port 0"):
        usable_port("203.0.113.1", 0)


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("127.0.0.1", "http://127.0.0.1:80"),
        ("0.0.0.0", "http://127.0.0.1:80"),
        ("::", "http://[::1]:80"),
        ("box.test", "http://box.test:80"),
    ],
)
def test_the_url_is_one_that_this_machine_can_reach(tmp_path, host, url):
    assert Place(data_dir=tmp_path, host=host, port=80).url == url


def test_nothing_that_listens_is_not_ready(tmp_path):
    assert answers_ready(Place(data_dir=tmp_path, host="127.0.0.1", port=9))() is False


def test_a_broker_of_ones_own_replaces_the_embedded_one(tmp_path, monkeypatch):
    monkeypatch.setenv("GRIDLOOM_BROKER_URL", "redis://elsewhere:6379/0")
    made = specs(Place(data_dir=tmp_path, host="127.0.0.1", port=80), Console())
    assert [it.name for it in made] == ["api", "scheduler", "worker"]
    assert {it.env["GRIDLOOM_BROKER_URL"] for it in made} == {"redis://elsewhere:6379/0"}


@pytest.mark.parametrize(
    "name", ["ACCESS_CODE", "SMTP_URL", "OIDC_ISSUER", "OIDC_CLIENT_ID", "OIDC_CLIENT_SECRET"]
)
def test_only_the_control_plane_is_told_how_users_sign_in(tmp_path, monkeypatch, name):
    variable = f"GRIDLOOM_{name}"
    monkeypatch.setenv("GRIDLOOM_BROKER_URL", "redis://elsewhere:6379/0")
    monkeypatch.setenv(variable, "swordfish")
    made = specs(Place(data_dir=tmp_path, host="127.0.0.1", port=80), Console())
    assert [it.name for it in made if variable in it.env] == ["api"]
    assert made[0].env[variable] == "swordfish"
    assert variable not in os.environ  # which children inherit


def test_whoever_reads_the_store_is_told_its_keys(tmp_path, monkeypatch):
    keys = {"GRIDLOOM_STORE_ACCESS_KEY": "AKID", "GRIDLOOM_STORE_SECRET_KEY": "swordfish"}
    for name, value in keys.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("GRIDLOOM_STORE_URL", "s3://bucket/fabric")
    made = {it.name: it.env for it in specs(Place(data_dir=tmp_path, host="127.0.0.1", port=80), Console())}
    assert "GRIDLOOM_STORE_SECRET_KEY" not in made.pop("valkey")
    for env in made.values():
        assert env["GRIDLOOM_STORE_URL"] == "s3://bucket/fabric"
        assert env.items() >= keys.items()
    assert not keys.keys() & os.environ.keys()


def test_only_the_control_plane_is_told_of_the_master_keys(tmp_path, monkeypatch):
    monkeypatch.setenv("GRIDLOOM_BROKER_URL", "redis://elsewhere:6379/0")

    def told():
        made = specs(Place(data_dir=tmp_path, host="127.0.0.1", port=80), Console())
        return {it.name: {name for name in it.env if "MASTER" in name} for it in made}, made[0].env

    names, env = told()
    assert names == {"api": {"GRIDLOOM_MASTER_KEY_FILE"}, "scheduler": set(), "worker": set()}
    assert env["GRIDLOOM_MASTER_KEY_FILE"] == str(tmp_path / "master.key")
    monkeypatch.setenv("GRIDLOOM_MASTER_KEY", "a:b")
    names, env = told()
    assert names == {"api": {"GRIDLOOM_MASTER_KEY"}, "scheduler": set(), "worker": set()}
    assert env["GRIDLOOM_MASTER_KEY"] == "a:b"
    assert "GRIDLOOM_MASTER_KEY" not in os.environ


def test_an_address_that_others_reach_is_refused_at_once_without_tls(command, tmp_path):
    command["args"] += ["--host", "0.0.0.0"]
    ended = subprocess.run(**command, capture_output=True, check=False)
    assert ended.returncode == 1
    assert ended.stderr.startswith("error: others can reach 0.0.0.0 (GRIDLOOM_HOST)")
    assert ended.stderr.count("\n") == 1
    assert not (tmp_path / "d").exists()


def test_behind_a_proxy_any_address_will_do(command):
    command["args"] += ["--host", "0.0.0.0", "--behind-proxy"]
    with running(command) as (_, ready):
        assert ready["url"].startswith("http://127.0.0.1:")


def test_with_a_certificate_the_url_is_a_secure_one(tmp_path):
    place = Place(data_dir=tmp_path, host="0.0.0.0", port=443, tls=True)
    assert place.url == "https://127.0.0.1:443"
    named = Place(data_dir=tmp_path, host="0.0.0.0", port=443, tls=True, named_url="https://fabric.test")
    assert named.url == "https://fabric.test"
    assert named.near_host == "127.0.0.1"


@pytest.mark.parametrize(
    ("named", "told"), [("", "https://127.0.0.1:80"), ("https://f.test", "https://f.test")]
)
def test_workers_are_told_the_name_in_the_certificate(tmp_path, monkeypatch, named, told):
    monkeypatch.setenv("GRIDLOOM_BROKER_URL", "redis://elsewhere:6379/0")
    place = Place(data_dir=tmp_path, host="127.0.0.1", port=80, tls=True, named_url=named)
    assert {it.env["GRIDLOOM_CONTROL_URL"] for it in specs(place, Console())} == {told}


def test_readiness_is_asked_over_tls_whatever_name_the_certificate_has(tmp_path):
    certificate, key = write_certificate(tmp_path, "fabric.test")
    server = HTTPServer(("127.0.0.1", 0), Ready)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    with running_server(server):
        secure = Place(data_dir=tmp_path, host="127.0.0.1", port=server.server_port, tls=True)
        assert answers_ready(secure)() is True
