"""The worker's part of a delivery: whose fault its end is, that it stops with its lease, and what its log says."""

import json

import pytest

from gridloom.destinations import DestinationSpec
from gridloom.errors import BucketUnavailable
from gridloom.plan import DELIVERY
from gridloom.states import EndReason, Stage
from gridloom.wire import OutputFile, Work
from storage.buckets.bucket import Bucket
from tests.fixtures.control_plane import JOB


@pytest.fixture
def deliver(rig, bucket_place):
    """Return a function that lets the worker deliver five files, and gives its result."""
    rig.store.put_bytes("jobs/pack", b"0123456789")
    for number in range(5):
        path = f"d{number}/f"
        rig.control_plane.outputs[path] = OutputFile(path=path, size=2, key="jobs/pack", offset=2 * number)

    def run(place=bucket_place, **params):
        rig.control_plane.add(Stage.DELIVER, 0)
        named = {"bucketName": "b", "name": "/out"} | params
        rig.control_plane.work = Work(
            owner_id="owner",
            component=DELIVERY.component,
            env={},
            needs=DELIVERY.needs,
            destination=DestinationSpec(descriptor="aws", params=named, place=place),
        )
        rig.run(Stage.DELIVER, 0)
        return rig.result(Stage.DELIVER)

    return run


def test_the_output_is_delivered_page_by_page_and_without_a_process(
    rig, deliver, bucket_place, bucket_server
):
    result = deliver()
    assert (result.reason, result.files, rig.runner.opened) == (None, (), 0)
    held = bucket_server.objects(bucket_place.bucket)
    manifest = json.loads(held.pop(f"out/.gridloom/{JOB}.json"))
    assert held == {f"out/d{it}/f": f"{2 * it}{2 * it + 1}".encode() for it in range(5)}
    assert manifest["totalFiles"] == 5
    assert rig.control_plane.calls["outputs"] >= 3
    assert rig.nothing_is_left()


def test_the_log_tells_what_was_delivered(rig, deliver):
    deliver()
    (line,) = rig.control_plane.lines
    assert (line["s"], line["l"]) == ("fabric", "INFO")
    assert line["m"].startswith("delivered 5 files of 10 bytes")


@pytest.mark.parametrize(
    ("change", "reason", "problem"),
    [
        ({"secret_key": "wrong"}, EndReason.DESTINATION_REFUSED, "secret"),
        ({"bucket": "no-such-bucket"}, EndReason.DESTINATION_REFUSED, "no bucket no-such-bucket"),
        ({"endpoint": "http://10.1.2.3"}, EndReason.DESTINATION_REFUSED, "10.1.2.3"),
    ],
)
def test_a_destination_that_refuses_is_not_tried_again(rig, deliver, bucket_place, change, reason, problem):
    result = deliver(bucket_place.model_copy(update=change))
    assert result.reason is reason
    assert problem in result.message
    assert rig.nothing_is_left()


def test_a_destination_out_of_reach_costs_the_fabrics_budget(deliver, monkeypatch):
    def away(*_, **__):
        raise BucketUnavailable("bucket b can't be reached")

    monkeypatch.setattr(Bucket, "list", away)
    assert deliver().reason is EndReason.DESTINATION


def test_a_foreign_file_in_the_way_is_named(deliver, bucket_place, bucket_server):
    bucket_server.put(bucket_place.bucket, "out/d3/f", b"theirs")
    result = deliver()
    assert result.reason is EndReason.DESTINATION_REFUSED
    assert "out/d3/f" in result.message
    assert bucket_server.objects(bucket_place.bucket) == {"out/d3/f": b"theirs"}


def test_a_foreign_file_is_replaced_where_the_job_says_so(deliver, bucket_place, bucket_server):
    bucket_server.put(bucket_place.bucket, "out/d3/f", b"theirs")
    assert deliver(overwrite=True).reason is None
    assert bucket_server.get(bucket_place.bucket, "out/d3/f") == b"67"


def test_output_that_the_store_has_lost_is_the_fabrics_fault(rig, deliver):
    rig.store.delete("jobs/pack")
    assert deliver().reason is EndReason.STORE_UNAVAILABLE


def test_a_lost_lease_stops_the_delivery_before_its_manifest(rig, deliver, bucket_place, bucket_server):
    read = rig.store.get_bytes

    def lose(*args):
        for lease in rig.book.all():
            lease.end(EndReason.CANCELLED)
        return read(*args)

    rig.store.get_bytes = lose
    assert deliver() is None
    assert f"out/.gridloom/{JOB}.json" not in bucket_server.keys(bucket_place.bucket)
    assert rig.nothing_is_left()
