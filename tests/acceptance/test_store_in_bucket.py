"""A fabric whose own store is a bucket: everything that it keeps lies there, and users fetch results from there."""

import httpx

from tests.fixtures.live_fabric import component

APP = """
env | sed 's/=.*//' | sort | tr '\\n' ' '
tr a-z A-Z < "$TASK_DIR/data.bin" > "$TASK_RESULTS_DIR/part-$CHUNK_NUMBER"
"""
ASSEMBLER = 'cat "$RESULTS_DIR"/* > "$OUTPUT_DIR/all.txt"; echo whole > "$OUTPUT_DIR/small.txt"\n'


def test_a_job_runs_with_its_store_in_a_bucket(start_fabric, bucket_server, tmp_path):
    bucket, endpoint = bucket_server.make_bucket(), bucket_server.endpoint
    keys = {
        "GRIDLOOM_STORE_ACCESS_KEY": bucket_server.access_key,
        "GRIDLOOM_STORE_SECRET_KEY": bucket_server.secret_key,
    }
    url = f"s3://{bucket}/fabric?endpoint={endpoint}&public_endpoint={endpoint}"
    fabric = start_fabric(env=keys | {"GRIDLOOM_STORE_URL": url, "AWS_REGION": "us-east-1"})
    lines = b"".join(b"line %06d\n" % it for it in range(60_000))
    (tmp_path / "lines.txt").write_bytes(lines)
    job_id = fabric.run(
        {
            "app": fabric.push(component("upper", APP)),
            "partitioner": "split",
            "assembler": fabric.push(component("join", ASSEMBLER, kind="assembler"), "engine"),
            "dataSource": {"dataSourceDescriptor": "file"},
            "params": {"partitioner": {"lines": 6_000}},
        },
        tmp_path / "lines.txt",
    )
    fabric.finished(job_id)
    assert fabric.results(job_id) == {"all.txt": lines.upper(), "small.txt": b"whole\n"}
    printed = [line.log for line in fabric.client.log_lines(job_id)]
    assert any("CHUNK_NUMBER" in it for it in printed)
    assert not any(name in it for it in printed for name in ("GRIDLOOM_", "AWS_"))
    link = next(it.link for it in fabric.client.results(job_id) if it.name == "all.txt")
    answer = httpx.get(link)
    assert answer.status_code == 307
    there = httpx.get(answer.headers["location"], headers={"Range": "bytes=5-10"})
    assert (there.status_code, there.content) == (206, b"000000")
    assert there.headers["content-disposition"].startswith("attachment")
    assert answer.headers["location"].startswith(f"{endpoint}/{bucket}/fabric/jobs/{job_id}/")
    assert all(it.startswith("fabric/") for it in bucket_server.keys(bucket))
    assert not (fabric.data_dir / "objects").exists()
