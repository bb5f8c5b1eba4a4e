"""Components as users of the published platform wrote them, driven by clients in the older shapes.

The scripts here are our own; they behave as the published `fanout-replica`, `zipper`, `fanout-urls` and
`data-assembler` do.
"""

import io
import json
import time
import zipfile
from base64 import b64encode
from collections.abc import Iterator, Mapping
from types import MappingProxyType

import httpx
import pytest

from gridloom.archives import pack_component
from tests.fixtures.live_fabric import LiveFabric

# As the demo client has it: anything else ends its polling.
KNOWN = {200, 202, 400, 404, 500}

FANOUT_REPLICA = """
import json, os, re, shutil

SOURCE, CHUNKS = os.environ["SOURCE_DIR"], os.environ["CHUNKS_DIR"]
text = os.environ.get("PARTITIONER_PARAMS")
if not text:
    raise ValueError("PARTITIONER_PARAMS is empty")
for folder in (SOURCE, CHUNKS):
    if not os.path.isdir(folder):
        raise FileNotFoundError(folder)
if not os.access(CHUNKS, os.W_OK):
    raise PermissionError(CHUNKS)

def write_chunk(data):
    taken = [int(m.group(1)) for m in (re.match(r"data_(\\d+).bin", n) for n in os.listdir(CHUNKS)) if m]
    index = max(taken) + 1 if taken else 0
    with open(os.path.join(CHUNKS, "data_%d.bin" % index), "wb") as chunk:
        chunk.write(data)

replicas = json.loads(text)["num_replicas"]
for name in os.listdir(SOURCE):
    with open(os.path.join(SOURCE, name), "rb") as source:
        data = source.read()
    for _ in range(replicas):
        write_chunk(data)
"""
IMAGE_APP = """
import json, os, sys

params = json.loads(os.environ["APP_PARAMS"])
chunk = os.path.join(os.environ["TASK_DIR"], "data.bin")
if os.listdir(os.environ["TASK_DIR"]) != ["data.bin"]:
    sys.exit("TASK_DIR must hold one chunk")
with open(os.path.join(os.environ["TASK_RESULTS_DIR"], "output_image.png"), "wb") as image:
    image.write(b"PNG of " + params["prompt"].encode() + b" " + os.environ["CHUNK_NUMBER"].encode())
print("made an image from", os.path.getsize(chunk), "bytes")
"""
ZIPPER = """
import os, zipfile

results, output = os.environ["TASK_RESULTS_DIR"], os.environ["OUTPUT_DIR"]
files = [n for n in os.listdir(results) if os.path.isfile(os.path.join(results, n))]
if files:
    with zipfile.ZipFile(os.path.join(output, "results_archive.zip"), "w", zipfile.ZIP_DEFLATED) as archive:
        for name in files:
            archive.write(os.path.join(results, name), name)
"""
FANOUT_URLS = """
import json, os

params = json.loads(os.environ["PARTITIONER_PARAMS"])
urls, size = params["urls"], int(params.get("chunk_size", 1))
for i in range(0, len(urls), size):
    with open(os.path.join(os.environ["CHUNKS_DIR"], "data_%d.bin" % (i // size)), "w") as chunk:
        json.dump(urls[i:i + size], chunk)
"""
SCRAPER = """
import json, os, sys

from prices import price_of

folder, number = os.environ["TASK_DIR"], os.environ.get("CHUNK_NUMBER")
found = None
if number is not None:
    found = os.path.join(folder, "data_%s.bin" % number)
    if not os.path.exists(found):
        names = [n for n in os.listdir(folder) if n.endswith((".bin", ".json"))]
        found = os.path.join(folder, names[0]) if names else None
else:
    names = [n for n in os.listdir(folder) if n.startswith("data_")]
    found = os.path.join(folder, names[0]) if names else None
if found is None:
    sys.exit("no chunk")
currency = json.loads(os.environ["APP_PARAMS"])["currency"]
items = [{"url": url, "price": price_of(url), "currency": currency} for url in json.load(open(found))]
with open(os.path.join(os.environ["TASK_RESULTS_DIR"], "items.json"), "w") as result:
    json.dump(items, result)
"""
DATA_ASSEMBLER = """
import json, os

folder = os.environ["TASK_RESULTS_DIR"]
items = []
for name in os.listdir(folder):
    if name.endswith(".json") and os.path.isfile(os.path.join(folder, name)):
        items += json.load(open(os.path.join(folder, name)))
cheapest = min(items, key=lambda item: item["price"])
with open(os.path.join(os.environ["OUTPUT_DIR"], "cheapest_item.json"), "w") as output:
    json.dump(dict(cheapest, seen=len(items)), output)
"""


def archive(manifest: dict, script: str, more: Mapping[str, str] = MappingProxyType({})) -> str:
    files = {"manifest.json": json.dumps(manifest), "app/main.py": script, "Dockerfile": "FROM scratch\n"}
    return b64encode(
        pack_component({name: text.encode() for name, text in (files | dict(more)).items()})
    ).decode()


def capitalised(name: str, **more: object) -> dict:
    """Return a manifest as an older example writes it: capitals, and an image without a tag."""
    return {
        "Name": name,
        "Version": "0.1",
        "Platform": "docker",
        "Entrypoint": "main.py",
        "Description": f"{name} of a user",
        "platform_config": {"container": "python"},
        "device_requirements": {"min_cpu": 2, "min_memory": 4},
    } | more


class OldClient:
    """Speaks as published clients do: a bare token, POST everywhere, and answers looked at by status alone."""

    def __init__(self, fabric: LiveFabric) -> None:
        self.http = httpx.Client(base_url=fabric.url, timeout=30)
        answer = self.http.post("/v1/auth/access_token", json={"apiKey": f" {fabric.api_key}\n"}).json()
        assert answer["expiresIn"] == "3600"
        self.http.headers["Authorization"] = answer["token"]

    def post(self, path: str, body: object) -> dict:
        response = self.http.post(path, json=body)
        assert response.status_code == 200, response.text
        return response.json()

    def push(self, data: str, name: str, kind: str = "apps") -> None:
        self.post(f"/v1/dev/{kind}", {"data": data})
        answer = self.http.get(f"/v1/dev/{kind}/{name}/status").json()
        assert answer["message" if kind == "apps" else "engineStatus"] == "inactive"
        self.post(f"/v1/dev/{kind}/{name}/activate", {})

    def poll_results(self, job_id: str) -> list[dict]:
        """Ask for the results until they are there."""
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            response = self.http.get(f"/v1/customer/jobs/{job_id}/results")
            assert response.status_code in KNOWN
            if response.status_code == 200:
                return response.json()["results"]
            assert "not yet been completed" in response.json()["message"]
            time.sleep(0.1)
        raise AssertionError("no results within a minute")


@pytest.fixture
def old(fabric) -> Iterator[OldClient]:
    client = OldClient(fabric)
    yield client
    client.http.close()


def test_images_by_fanout_replica_and_zipper(old):
    old.push(archive(capitalised("fanout-replica", type="partitioner"), FANOUT_REPLICA), "fanout-replica@0.1")
    old.push(archive(capitalised("zipper", type="assembler"), ZIPPER), "zipper@v0.1", "engines")
    template = {
        "id": "img-gen-diffusers-flux-gpu-template",
        "app": "img-gen-diffusers@0.1",
        "partitioner": "fanout-replica@0.1",
        "assembler": "zipper@v0.1",
        "dataSource": {"dataSourceDescriptor": "bypass", "params": {}},
        "dataDestination": {"dataSourceDescriptor": "bucket"},
        "params": {"partitioner": {"num_replicas": 2}, "app": {"prompt": "a fox"}, "assembler": {}},
    }
    files = {"template.json": json.dumps(template)[:-1] + ",}"}
    old.push(archive(capitalised("img-gen-diffusers"), IMAGE_APP, files), "img-gen-diffusers")
    body = {
        "templateId": "img-gen-diffusers-flux-gpu-template",
        "params": {"partitioner": {"num_replicas": 5}, "app": {"prompt": "a loom"}},
        "config": {"taskTimeout": "3600", "jobTimeout": "84200", "isTestJob": True},
    }
    job = old.post("/v1/customer/jobs", body)["job"]
    assert job["config"]["taskTimeout"] == 3600
    assert old.http.get(f"/v1/customer/jobs/{job['id']}/results").status_code == 400
    old.post(f"/v1/customer/jobs/{job['id']}/run", {})
    (result,) = old.poll_results(job["id"])
    assert result["name"] == "results_archive.zip"
    url = result.get("url") or result.get("link")
    with zipfile.ZipFile(io.BytesIO(httpx.get(url, follow_redirects=True).content)) as made:
        images = [it for it in made.namelist() if it.lower().endswith((".jpg", ".png"))]
        contents = sorted(made.read(it) for it in images)
        assert {it.compress_type for it in made.infolist()} == {zipfile.ZIP_DEFLATED}
    assert len(images) == len(set(images)) == 5
    assert contents == [b"PNG of a loom %d" % it for it in range(5)]


def test_scraping_by_fanout_urls_and_data_assembler(old):
    for name, script in (("fanout-urls", FANOUT_URLS), ("data-assembler", DATA_ASSEMBLER)):
        kind = "partitioner" if name == "fanout-urls" else "assembler"
        manifest = {
            "name": name,
            "version": "0.2",
            "type": kind,
            "platform": "docker",
            "entrypoint": "main.py",
        }
        manifest["platform_config"] = {"container": "python:3.8-alpine"}
        old.push(archive(manifest, script), name)  # engines pushed as apps, without requirements
    manifest = capitalised("web-scraper", type="app")
    prices = "def price_of(url):\n    return int(url.rsplit('/', 1)[1])\n"
    old.push(archive(manifest, SCRAPER, {"app/prices.py": prices}), "web-scraper")
    urls = [f"https://shop.test/{price}" for price in (50, 30, 20, 90, 70)]
    defaults = {
        "partitioner": {"app_id": "fanout-urls", "version": "0.2", "parameters": {"urls": urls}},
        "app": {"app_id": "web-scraper", "version": "0.1", "parameters": {"currency": "EUR"}},
        "assembler": {"app_id": "data-assembler", "version": "0.2", "parameters": {}},
    }
    template = {
        "id": "web-scraper-template",
        "app": "web-scraper",
        "partitioner": "fanout-urls@0",
        "assembler": "data-assembler@0.2",
        "default_params": defaults,
    }
    old.post("/v1/dev/templates", template)
    body = {
        "templateId": "web-scraper@0.1",
        "data_source": {"dataSourceDescriptor": "bypass"},
        "data_destination": {"dataSourceDescriptor": "bucket"},
    }
    job_id = old.post("/v1/computing/jobs", body)["job"]["id"]
    params = {"partitioner": {"urls": urls, "chunk_size": 2}, "data": {}, "preset": ""}
    shown = old.post(f"/v1/customer/jobs/params/{job_id}", params)["job"]
    assert shown["params"]["app"] == {"currency": "EUR"}
    ends = {"dataSource": {"dataSourceDescriptor": "bypass", "params": {"url": ""}}}
    old.post(f"/v1/customer/jobs/datasource/{job_id}", ends)
    assert old.post(f"/v1/customer/jobs/run/{job_id}", {"taskTimeout": "60", "config": {}})["ok"] is True
    (result,) = old.poll_results(job_id)
    assert result["name"] == "cheapest_item.json"
    expected = {"url": "https://shop.test/20", "price": 20, "currency": "EUR", "seen": 5}
    assert httpx.get(result["link"]).json() == expected
    job = old.http.get(f"/v1/customer/jobs/{job_id}").json()["job"]
    assert (job["state"], job["numChunks"]) == ("JOB_STATE_COMPLETE", 3)
    assert job["completedAt"] == job["endedAt"]


def test_an_upload_in_four_steps_to_both_passthroughs(old):
    hello = 'import os\nd = os.environ\ntext = open(d["TASK_DIR"] + "/data.bin").read()\n'
    hello += 'open(d["TASK_RESULTS_DIR"] + "/hello_world_processed.txt", "w").write(text.upper())\n'
    old.push(archive(capitalised("hello-world"), hello), "hello-world")
    body = {"app": "hello-world", "partitioner": "passthrough@1.0", "assembler": "passthrough"}
    job_id = old.post("/v1/customer/jobs", body)["job"]["id"]
    kind = "type.googleapis.com/bytenite.data_source.LocalFileDataSource"
    ends = {
        "dataSource": {"dataSourceDescriptor": "file", "params": {"@type": kind}},
        "dataDestination": {"dataSourceDescriptor": "bucket", "params": {}},
    }
    link = old.post(f"/v1/customer/jobs/datasource/{job_id}", ends)["job"]["dataSource"]["params"]["tempUrl"]
    too_early = old.http.post(f"/v1/customer/jobs/run/{job_id}", json={})
    assert too_early.status_code == 400
    name = 'attachment; filename="/home/me/some text.txt"'
    sent = httpx.put(link, content=b"Hello, World!\n", headers={"Content-Disposition": name})
    assert sent.status_code == 200
    assert old.http.post(f"/v1/customer/jobs/run/{job_id}", json={}).status_code == 400
    old.post(f"/v1/customer/jobs/uploadcompleted/{job_id}", {})
    old.post(f"/v1/customer/jobs/{job_id}/run", {})
    (result,) = old.poll_results(job_id)
    assert result["name"] == "hello_world_processed.txt"
    assert httpx.get(result["link"]).content == b"HELLO, WORLD!\n"
    assert old.http.post(f"/v1/customer/jobs/{job_id}/run", json={}).status_code == 400
