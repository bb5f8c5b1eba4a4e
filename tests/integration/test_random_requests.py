"""Requests made at random from what each API says of itself: none breaks it, none gets an answer it does not document."""

import base64
import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from gridloom.archives import pack_component
from tests.fixtures.children import child

ROOT = Path(__file__).parents[2]
CHECKS = "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance"
#: Streams don't end, and signing out would end the test's own token.
LEFT_OUT = (
    "/events",
    "/signout",
    "/jobs/{jobId}/logs/stream",
    "/oauth2/revoke",
    "/jobs/{jobId}/logs/download",
)
EXAMPLES = 6


@pytest.fixture(scope="module")
def postgres_database(postgres):
    with postgres.database() as url:
        yield url


@pytest.fixture(scope="module")
def control_plane(tmp_path_factory, postgres_database):
    """Run a control plane of its own; yield its URL, a token, and the names of what lies there.

    It runs on PostgreSQL, which takes fewer values than SQLite.
    """
    folder = tmp_path_factory.mktemp("control")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    values = {
        "database_url": postgres_database,
        "store_url": f"file:{folder / 'objects'}",
        "broker_url": f"redis+socket://{folder / 'no.sock'}",
        "secret_key": "s" * 32,
        "join_token": "j" * 32,
        "bootstrap_file": folder / "credentials.json",
        "port": port,
        "sign_in_limit": "",
        "log_level": "error",
    }
    unset = [part for name in os.environ if name.startswith("GRIDLOOM_") for part in ("-u", name)]
    env = ["env", *unset, f"PYTHONPATH={ROOT}", *(f"GRIDLOOM_{it.upper()}={values[it]}" for it in values)]
    url = f"http://127.0.0.1:{port}"
    run = [*env, sys.executable, "-P", "-m", "api"]
    with child(run, ready=lambda: answers(url), log=folder / "log"):
        key = json.loads((folder / "credentials.json").read_text())["apiKey"]
        grant = httpx.post(f"{url}/v1/auth/access_token", json={"apiKey": key}).json()
        yield url, grant["token"], belongings(url, grant["token"])


def belongings(url: str, token: str) -> dict[str, str]:
    """Make one of each thing, and return what they are called by the parameter that names them."""
    files = {
        "manifest.json": json.dumps({"name": "hello", "version": "0.1", "platform": "docker"}).encode(),
        "app/main.py": b"print()",
    }
    data = base64.b64encode(pack_component(files)).decode()
    with httpx.Client(base_url=url, headers={"Authorization": token}) as http:
        http.post("/v1/dev/apps", json={"data": data}).raise_for_status()
        http.post("/v1/dev/apps/hello/activate").raise_for_status()
        draft = {"app": "hello", "partitioner": "passthrough", "assembler": "passthrough"}
        job = http.post("/v1/customer/jobs", json=draft).raise_for_status().json()["job"]
    return {"path.appTag": "hello", "path.engineTag": "zipper", "path.jobId": job["id"]}


def answers(url: str) -> bool:
    try:
        return httpx.get(f"{url}/healthz").status_code == 200
    except httpx.TransportError:
        return False


@pytest.mark.parametrize("api", ["auth", "dev", "customer", "wallet", "admin"])
def test_no_request_breaks_it(control_plane, api, tmp_path):
    url, token, names = control_plane
    lines = [f'"{name}" = "{value}"' for name, value in names.items()]
    (tmp_path / "schemathesis.toml").write_text("\n".join(["[parameters]", *lines]) + "\n")
    left_out = [part for path in LEFT_OUT for part in ("--exclude-path", path)]
    command = [
        *(sys.executable, "-m", "schemathesis.cli", "run", f"{url}/v1/{api}/docs/swagger.json"),
        *(
            "--checks",
            CHECKS,
            "--phases",
            "examples,fuzzing",
            "-n",
            str(EXAMPLES),
            "--generation-deterministic",
        ),
        *("-H", f"Authorization: {token}", *left_out, "--no-color", "--suppress-health-check", "all"),
        *("--exclude-method", "DELETE"),  # the others would find nothing any more
    ]
    ended = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, timeout=110, check=False)
    assert ended.returncode == 0, ended.stdout[:12000] + ended.stderr[-2000:]
