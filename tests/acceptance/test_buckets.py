"""Jobs from bucket to bucket, through dialects and faults, with the worker killed: byte for byte, or visibly not whole."""

import hashlib
import json
import random

import pytest

from gridloom.states import JobState
from tests.fixtures.bucket_proxy import dialect_proxy
from tests.fixtures.live_fabric import component, until

pytestmark = pytest.mark.timeout(240)

FABRIC_ENV = {"GRIDLOOM_ALLOW_PRIVATE_HOSTS": "127.0.0.1", "GRIDLOOM_TRANSFERS": "3"}
SEED = 20_261_122
LARGE = 20 << 20  # in parts on its way out, in ranges on its way in
COPY = 'cat "$TASK_DIR/data.bin" > "$TASK_RESULTS_DIR/part_$CHUNK_NUMBER"'
WALK = """
cd "$SOURCE_DIR"
find . -type f | LC_ALL=C sort > /tmp/names.$$
i=0
while IFS= read -r name; do
    cp "$name" "$CHUNKS_DIR/data_$i.bin"
    i=$((i + 1))
done < /tmp/names.$$
mv /tmp/names.$$ "$CHUNKS_DIR/data_$i.bin"
"""
TREE = """
mkdir -p "$OUTPUT_DIR/deep/er"
cp "$RESULTS_DIR"/* "$OUTPUT_DIR/deep/er"
echo done > "$OUTPUT_DIR/note.txt"
"""
# 24 files of 200 kB, and one that goes in parts.
MANY = """
i=0
while [ $i -lt 24 ]; do
    head -c 200000 /dev/urandom > "$TASK_RESULTS_DIR/file_$i.bin"
    i=$((i + 1))
done
head -c 36000000 /dev/urandom > "$TASK_RESULTS_DIR/large.bin"
"""


def an_end(fabric, proxy, bucket, name, **more):
    """Return a source or destination behind a proxy, with a secret of its kind."""
    server, kind = proxy.server, proxy.dialect
    fabric.client.save_secret(
        f"{kind}-keys", server.secret_key, secret_type=kind, access_key=server.access_key
    )
    params = {"name": name, "bucketName": bucket, "endpoint": proxy.endpoint, "secret_id": f"{kind}-keys"}
    return {"dataSourceDescriptor": kind, "params": params | more}


def fill(server, bucket):
    """Put objects of many kinds below `in/`; return their bytes by key."""
    chance = random.Random(SEED)
    sizes = {"a.bin": LARGE, "b/c d.txt": 10, "b/ü.bin": 0, "e/f/g.bin": 70_000, "h+i%20j.bin": 300_000}
    found = {f"in/{name}": chance.randbytes(size) for name, size in sizes.items()}
    for key, data in found.items():
        server.put(bucket, key, data)
    server.put(bucket, "inside.txt", b"not below the folder")
    return found


def manifest_of(server, bucket, folder, job_id):
    """Return the files that a delivery says to have made, None before it says so."""
    key = f"{folder}/.gridloom/{job_id}.json"
    if key not in server.keys(bucket, key):
        return None
    return {it["path"]: it["size"] for it in json.loads(server.get(bucket, key))["files"]}


def test_a_folder_goes_from_google_to_amazon_and_no_byte_of_it_through_the_control_plane(
    fabric, bucket_server
):
    source, target = bucket_server.make_bucket(), bucket_server.make_bucket()
    given = fill(bucket_server, source)
    with dialect_proxy(bucket_server, "gcp") as gcp, dialect_proxy(bucket_server, "aws") as aws:
        gcp.faults.random(SEED, 0.15)
        aws.faults.random(SEED, 0.15)
        body = {
            "app": fabric.push(component("copy", COPY)),
            "dataSource": an_end(fabric, gcp, source, "/in/"),
            "dataDestination": an_end(fabric, aws, target, "out"),
        }
        job_id = fabric.run(body)
        fabric.finished(job_id, 120)
        assert gcp.faults.happened
        assert aws.faults.happened
    keys = sorted(given, key=str.encode)
    made = bucket_server.objects(target)
    sizes = manifest_of(bucket_server, target, "out", job_id)
    del made[f"out/.gridloom/{job_id}.json"]
    assert {name: hashlib.sha256(data).digest() for name, data in made.items()} == {
        f"out/part_{number}": hashlib.sha256(given[key]).digest() for number, key in enumerate(keys)
    }
    assert sizes == {f"part_{number}": len(given[key]) for number, key in enumerate(keys)}
    assert not list((fabric.data_dir / "objects").rglob("chunks/*"))


def test_a_folder_goes_from_amazon_to_google_by_way_of_scripts(fabric, bucket_server):
    source, target = bucket_server.make_bucket(), bucket_server.make_bucket()
    given = fill(bucket_server, source)
    with dialect_proxy(bucket_server, "gcp") as gcp, dialect_proxy(bucket_server, "aws") as aws:
        gcp.faults.random(SEED, 0.15)
        aws.faults.random(SEED, 0.15)
        body = {
            "app": fabric.push(component("copy", COPY)),
            "partitioner": fabric.push(component("walk", WALK, kind="partitioner"), "engine"),
            "assembler": fabric.push(component("tree", TREE, kind="assembler"), "engine"),
            "dataSource": an_end(fabric, aws, source, "in"),
            "dataDestination": an_end(fabric, gcp, target, "/out/"),
        }
        job_id = fabric.run(body)
        fabric.finished(job_id, 120)
    names = sorted((f"./{key.removeprefix('in/')}" for key in given), key=str.encode)
    expected = {f"deep/er/part_{i}": given[f"in/{name[2:]}"] for i, name in enumerate(names)}
    expected[f"deep/er/part_{len(names)}"] = "".join(f"{name}\n" for name in names).encode()
    expected["note.txt"] = b"done\n"
    made = bucket_server.objects(target)
    assert manifest_of(bucket_server, target, "out", job_id) == {
        name: len(data) for name, data in expected.items()
    }
    del made[f"out/.gridloom/{job_id}.json"]
    assert made == {f"out/{name}": data for name, data in expected.items()}


def test_a_worker_killed_while_it_delivers_leaves_nothing_that_looks_whole(fabric, bucket_server):
    target = bucket_server.make_bucket()
    with dialect_proxy(bucket_server, "aws") as aws:
        aws.faults.add("slow", "PutObject", times=1000, seconds=0.4)
        aws.faults.add("slow", "UploadPart", times=1000, seconds=0.4)
        body = {
            "app": fabric.push(component("many", MANY)),
            "dataDestination": an_end(fabric, aws, target, "out"),
        }
        job_id = fabric.run(body)
        for uploads in (1, 8, 16):
            until(lambda: len(bucket_server.keys(target)) >= uploads, "it delivers", 60)  # noqa: B023
            fabric.kill("worker")
            assert manifest_of(bucket_server, target, "out", job_id) is None
            assert fabric.job(job_id)["state"] == JobState.DOWNLOADING
        aws.faults.clear()
        fabric.finished(job_id, 120)
    results = {f"out/{name}": data for name, data in fabric.results(job_id).items()}
    sizes = manifest_of(bucket_server, target, "out", job_id)
    assert sizes == {name.removeprefix("out/"): len(data) for name, data in results.items()}
    assert len(sizes) == 25
    made = bucket_server.objects(target)
    del made[f"out/.gridloom/{job_id}.json"]
    assert made == results
    assert bucket_server.uploads(target) == []


def test_what_a_destination_refused_is_kept_and_sent_again(fabric, bucket_server):
    target = bucket_server.make_bucket()
    with dialect_proxy(bucket_server, "aws") as aws:
        aws.faults.add("denied", "PutObject", times=1000)
        body = {
            "app": fabric.push(component("copy", COPY)),
            "dataDestination": an_end(fabric, aws, target, "out"),
        }
        job_id = fabric.run(body)
        failed = fabric.ended(job_id)
        assert failed["state"] == JobState.FAILED
        assert "s3:PutObject" in failed["errorMessage"]
        assert f"gridloom job redeliver {job_id}" in failed["errorMessage"]
        assert list(fabric.results(job_id)) == ["part_0"]
        paid = fabric.job(job_id)["paymentAmount"]
        aws.faults.clear()
        fabric.call("POST", f"/v1/customer/jobs/{job_id}/redeliver", body={})
        again = fabric.finished(job_id)
    assert (again["errorMessage"], again["paymentAmount"]) == ("", paid)
    assert bucket_server.get(target, "out/part_0") == b"\n"
    assert manifest_of(bucket_server, target, "out", job_id) == {"part_0": 1}
