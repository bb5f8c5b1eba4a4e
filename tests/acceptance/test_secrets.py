"""A secret reaches the script that names it, and nothing that is kept or answered."""

import base64
import hashlib
import json
from contextlib import suppress
from urllib.parse import quote

import pytest
import zstandard

from gridloom.errors import ClientError
from gridloom.states import JobState
from tests.fixtures.live_fabric import component

VALUE = 'Sw0rd"fish/of w+nders?%' * 2
LINES = ["-----BEGIN KEY-----", *(letter * 64 for letter in "QRSTU"), "-----END KEY-----"]
PEM = "\n".join(LINES) + "\n"
SCRIPT = """
import base64, hashlib, json, os, sys, urllib.parse
value, pem = os.environ["my-key_SECRET_KEY"], os.environ["pem"]
assert os.environ["my_key_SECRET_KEY"] == value
with open(os.path.join(os.environ["TASK_RESULTS_DIR"], "digest.txt"), "w") as file:
    file.write(hashlib.sha256((value + pem).encode()).hexdigest() + " " + os.environ["my-key_ACCESS_KEY"])
for text in (value, pem):
    print("plain", text, [text], flush=True)
    print("json", json.dumps({"k": text}))
    print("url", urllib.parse.quote(text), urllib.parse.quote_plus(text))
    print("base64", base64.b64encode(text.encode()).decode())
    print(base64.encodebytes(text.encode()).decode(), file=sys.stderr)
sys.stdout.flush()
for piece in (value[:7], value[7:], "\\n", "x" * 16380, value, "\\n"):
    os.write(1, piece.encode())
print(dict(os.environ), file=sys.stderr)
if os.environ["CHUNK_NUMBER"] == "1":
    raise SystemExit("it is wrong: " + value)
"""


def forms():
    for text in (VALUE, PEM, *LINES[1:-1]):
        yield text
        yield quote(text)
        yield json.dumps(text)[1:-1]
        yield base64.b64encode(text.encode()).decode()


def stored(folder):
    """Yield each file of the data folder but the master key: its bytes, and what zstd frames in it hold."""
    for path in folder.rglob("*"):
        if not path.is_file() or path.name == "master.key":
            continue
        data = path.read_bytes()
        yield path, data
        start = data.find(zstandard.FRAME_HEADER)
        while start >= 0:
            with suppress(zstandard.ZstdError):
                yield path, zstandard.ZstdDecompressor().decompressobj().decompress(data[start:])
            start = data.find(zstandard.FRAME_HEADER, start + 4)


def save(fabric, secret_id, secret_type, value, **members):
    secret = {"id": secret_id, "secretType": secret_type, **members}
    fabric.call("POST", "/v1/auth/secrets", body={"secret": secret, "secretKey": value})


def test_no_value_is_kept_or_answered(fabric):
    wanted = {"container": "python", "secrets": ["my-key", "pem"]}
    app = fabric.push(component("keyed", SCRIPT, entrypoint="main.py", platform_config=wanted))
    body = {"app": app, "partitioner": "fanout-replica", "params": {"partitioner": {"num_replicas": 2}}}
    with pytest.raises(ClientError, match="secret 'my-key' does not exist"):
        fabric.run(body)
    save(fabric, "my-key", "s3", VALUE, accessKey="AKIAEXAMPLE")
    save(fabric, "pem", "other", PEM)
    job_id = fabric.run(body)
    job = fabric.ended(job_id)
    assert job["state"] == JobState.FAILED
    assert "it is wrong: ***" in job["errorMessage"]
    answers = [
        json.dumps(fabric.call("GET", path))
        for path in (
            "/v1/auth/secrets",
            f"/v1/customer/jobs/{job_id}",
            f"/v1/customer/jobs/{job_id}/tasks",
            "/v1/customer/jobs",
            "/v1/dev/apps/keyed",
        )
    ]
    answers.append(json.dumps(fabric.call("POST", "/v1/customer/logs", body={"jobId": job_id})))
    assert "***" in answers[-1]
    kept = [*stored(fabric.data_dir), ("log", fabric.log_file.read_bytes())]
    assert any(b"plain ***" in data for _, data in kept)
    for form in forms():
        assert not any(form in answer or json.dumps(form)[1:-1] in answer for answer in answers)
        found = [str(path) for path, data in kept if form.encode() in data]
        assert found == [], form


def test_a_secret_does_its_work(fabric):
    wanted = {"container": "python", "secrets": ["my-key", "pem"]}
    app = fabric.push(component("keyed", SCRIPT, entrypoint="main.py", platform_config=wanted))
    save(fabric, "my-key", "aws", VALUE, accessKey="AKIAEXAMPLE")
    save(fabric, "pem", "other", PEM)
    job_id = fabric.run({"app": app})
    fabric.finished(job_id)
    (digest,) = fabric.results(job_id).values()
    assert digest.decode() == f"{hashlib.sha256((VALUE + PEM).encode()).hexdigest()} AKIAEXAMPLE"


def test_a_container_that_runs_it_shows_no_value(start_fabric, docker_url, docker_client, python_image):
    fabric = start_fabric(runner="docker", env={"GRIDLOOM_DOCKER_URL": docker_url})
    wait = "import os, time\nassert os.environ['pem']\nprint('here', flush=True)\ntime.sleep(600)\n"
    wanted = {"container": python_image, "secrets": ["pem"]}
    app = fabric.push(component("waiting", wait, entrypoint="main.py", platform_config=wanted))
    save(fabric, "pem", "other", PEM)
    job_id = fabric.run({"app": app})
    fabric.await_running(job_id)
    shown = [
        json.dumps(docker_client.api.inspect_container(it.id))
        for it in docker_client.containers.list(all=True, filters={"label": "gridloom.worker"})
    ]
    assert any(str(fabric.data_dir) in text for text in shown)
    for form in forms():
        assert not any(form in text or json.dumps(form)[1:-1] in text for text in shown)
    fabric.client.abort_job(job_id)
