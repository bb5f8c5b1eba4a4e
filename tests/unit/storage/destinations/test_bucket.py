"""Output arrives in a bucket as it is, once, and whole before the manifest says so; nobody else's file is touched."""

import json
from contextlib import closing

import pytest

from gridloom.errors import BucketDenied, BucketFailed, LeaseLost, ObjectExists, StoreFull, StoreUnavailable
from gridloom.net_guard import PrivateHosts
from gridloom.wire import OutputFile
from storage.buckets.bucket import Bucket
from storage.destinations import bucket as module
from storage.destinations import present
from storage.destinations.bucket import BucketDelivery
from storage.destinations.context import DeliveryContext
from storage.folder import FolderStore
from tests.fixtures.bucket_proxy import dialect_proxy

JOB = "0f000000-0000-4000-8000-000000000001"
MANIFEST = f"out/.gridloom/{JOB}.json"
SMALL = {"a.txt": b"text", "deep/er/b.json": b"{}", "empty": b"", "ünï cödé.csv": b"1,2"}


class Sender:
    """Delivers output that lies in a store of the test's own; `stop_after` so many questions it is to stop."""

    def __init__(self, tmp_path, bucket_place):
        self.store = FolderStore(tmp_path / "store", durable=False)
        self.scratch = tmp_path / "scratch"
        self.scratch.mkdir()
        self.place, self.files, self.said = bucket_place, [], []
        self.stop_after, self.room = 10_000, True

    def add(self, files, large=()):
        """Put files into one pack, but large ones into objects of their own."""
        packed = b""
        for path, data in files.items():
            key, offset = ("pack", len(packed)) if path not in large else (f"own/{len(self.files)}", 0)
            if path in large:
                self.store.put_bytes(key, data)
            else:
                packed += data
            self.files.append(OutputFile(path=path, size=len(data), key=key, offset=offset))
        self.store.put_bytes("pack", packed)

    def check(self):
        self.stop_after -= 1
        if self.stop_after < 0:
            raise LeaseLost("gone")

    def send(self, *, job_id=JOB, folder="/out/", overwrite=False, again=False, place=None, transfers=4):
        context = DeliveryContext(
            store=self.store,
            scratch=self.scratch,
            transfers=transfers,
            check=self.check,
            say=self.said.append,
            has_room=lambda: self.room,
        )
        with closing(Bucket(place or self.place, PrivateHosts.parse("127.0.0.1"), transfers=4)) as bucket:
            delivery = BucketDelivery(bucket, folder, job_id, context, overwrite=overwrite)
            try:
                delivery.run(lambda: iter(self.files), again=again)
            finally:
                (self.scratch / "manifest.json").unlink(missing_ok=True)
                assert list(self.scratch.iterdir()) == []


@pytest.fixture
def sender(tmp_path, bucket_place):
    return Sender(tmp_path, bucket_place)


def test_every_file_arrives_under_its_name_and_the_manifest_vouches_for_all(
    sender, bucket_server, monkeypatch
):
    monkeypatch.setattr(module, "_IN_MEMORY_BYTES", 1000)
    large = {"large.bin": bytes(range(256)) * 100}
    sender.add(SMALL | large, large)
    sender.send()
    held = bucket_server.objects(sender.place.bucket)
    manifest = json.loads(held.pop(MANIFEST))
    assert held == {f"out/{path}": data for path, data in (SMALL | large).items()}
    assert (manifest["jobId"], manifest["totalFiles"], manifest["totalBytes"]) == (JOB, 5, 25609)
    head = bucket_server.client.head_object(Bucket=sender.place.bucket, Key="out/deep/er/b.json")
    assert (head["ContentType"], head["Metadata"]) == ("application/json", {"gridloom-job": JOB})
    entry = next(it for it in manifest["files"] if it["path"] == "deep/er/b.json")
    assert entry == {"path": "deep/er/b.json", "size": 2, "etag": head["ETag"].strip('"')}
    assert sender.said[-1].startswith("delivered 5 files of 25609 bytes in ")


@pytest.mark.parametrize(
    ("folder", "manifest"), [("", f".gridloom/{JOB}.json"), ("x/y", f"x/y/.gridloom/{JOB}.json")]
)
def test_no_output_is_a_manifest_alone(sender, bucket_server, folder, manifest):
    sender.send(folder=folder)
    held = bucket_server.objects(sender.place.bucket)
    assert list(held) == [manifest]
    assert json.loads(held[manifest])["files"] == []


def test_a_delivery_that_stops_midway_has_no_manifest_and_the_next_one_goes_on(sender, bucket_server):
    sender.add({f"f{number:02}": b"x" * number for number in range(12)})
    sender.stop_after = 6
    with pytest.raises(LeaseLost):
        sender.send(transfers=1)
    there = bucket_server.keys(sender.place.bucket)
    assert 0 < len(there) < 12
    assert MANIFEST not in there
    before = bucket_server.client.head_object(Bucket=sender.place.bucket, Key=there[0])["LastModified"]
    sender.stop_after = 1000
    sender.send(again=True)
    assert f"{len(there)} of them before" in sender.said[-1]
    assert (
        bucket_server.client.head_object(Bucket=sender.place.bucket, Key=there[0])["LastModified"] == before
    )
    assert len(bucket_server.keys(sender.place.bucket)) == 13


def test_a_file_of_somebody_elses_is_never_replaced_and_nothing_is_written(sender, bucket_server):
    sender.add(SMALL | {f"n{number}": b"" for number in range(7)})
    name = sender.place.bucket
    for number in range(7):
        bucket_server.put(name, f"out/n{number}", b"theirs")
    bucket_server.put(name, "out/other", b"theirs")
    with pytest.raises(ObjectExists, match=r"out/n\d.*nothing was written.*`overwrite: true`") as caught:
        sender.send()
    assert caught.value.message.count("out/n") <= 5
    assert set(bucket_server.objects(name).values()) == {b"theirs"}
    sender.send(overwrite=True)
    held = bucket_server.objects(name)
    assert (held["out/n1"], held["out/other"], held["out/a.txt"]) == (b"", b"theirs", b"text")


def test_two_jobs_share_a_folder_as_long_as_their_files_have_other_names(sender, bucket_server):
    other = JOB.replace("1", "2")
    sender.add({"a": b"1"})
    sender.send()
    with pytest.raises(ObjectExists, match="out/a;"):
        sender.send(job_id=other)
    sender.files = [sender.files[0].model_copy(update={"path": "b"})]
    sender.send(job_id=other)
    assert len(bucket_server.keys(sender.place.bucket)) == 4


def test_a_file_that_appears_meanwhile_is_not_replaced_either(sender, bucket_server, monkeypatch):
    sender.add({"a": b"1", "b": b"2"})
    monkeypatch.setattr(module.Present, "find", lambda *_: None)
    bucket_server.put(sender.place.bucket, "out/b", b"?", **{"gridloom-job": JOB})
    sender.send()
    bucket_server.put(sender.place.bucket, "out/b", b"theirs")
    with pytest.raises(ObjectExists):
        sender.send()
    assert bucket_server.get(sender.place.bucket, "out/b") == b"theirs"


@pytest.mark.parametrize("dialect", ["aws", "gcp"])
def test_an_answer_that_is_lost_costs_nothing(sender, bucket_server, dialect):
    sender.add({"a": b"1", "b": b"2"})
    with dialect_proxy(bucket_server, dialect) as proxy:
        proxy.faults.add("reset_after", "PutObject", key="out/a")
        proxy.faults.add("slow_down", "PutObject", key="out/b")
        sender.send(place=proxy.place(sender.place.bucket))
    assert len(proxy.faults.happened) == 2
    held = bucket_server.objects(sender.place.bucket, "out/")
    assert (held["out/a"], held["out/b"], MANIFEST in held) == (b"1", b"2", True)


def test_a_permission_that_goes_meanwhile_leaves_no_manifest(sender, bucket_proxy, bucket_server):
    sender.add({"a": b"1", "b": b"2"})
    bucket_proxy.faults.add("denied", "PutObject", key="out/b", times=5)
    with pytest.raises(BucketDenied):
        sender.send(place=bucket_proxy.place(sender.place.bucket), transfers=1)
    assert bucket_server.keys(sender.place.bucket) == ["out/a"]


def test_a_key_that_may_nothing_is_denied_before_anything_is_written(sender, bucket_server):
    sender.add(SMALL)
    with pytest.raises(BucketDenied):
        sender.send(place=sender.place.model_copy(update={"secret_key": "wrong"}))
    assert bucket_server.keys(sender.place.bucket) == []


def test_where_nothing_may_be_listed_each_name_is_looked_at(sender, bucket_proxy):
    bucket_proxy.faults.add("denied", "ListObjectsV2", times=100)
    sender.place = bucket_proxy.place(sender.place.bucket)
    sender.add({"a": b"1", "b": b"2"})
    sender.send()
    sender.send()
    assert "2 of them before" in sender.said[-1]
    bucket_proxy.faults.add("denied", "HeadObject", times=100)
    with pytest.raises(BucketDenied, match=r"can't be told.*s3:ListBucket.*overwrite: true"):
        sender.send()
    sender.send(overwrite=True)
    assert "0 of them before" in sender.said[-1]


def test_a_crowded_folder_is_not_listed_to_its_end(sender, bucket_server, monkeypatch):
    monkeypatch.setattr(present, "_LISTED", 1)
    monkeypatch.setattr(present, "_LISTED_FOR_EACH", 1)
    for number in range(4):
        bucket_server.put(sender.place.bucket, f"out/a{number}", b"theirs")
    sender.add({"a3": b"1"})
    with pytest.raises(ObjectExists, match="out/a3;"):
        sender.send()


def test_names_that_no_bucket_takes_are_refused_at_once(sender, bucket_server):
    for path in ("n" * 1021, f".gridloom/{JOB}.json", ".gridloom/another.json", ".gridloom"):
        sender.files = [OutputFile(path="a", size=0, key="k"), OutputFile(path=path, size=0, key="k")]
        with pytest.raises(BucketFailed, match=r"longer than|is for the manifests"):
            sender.send()
    assert bucket_server.keys(sender.place.bucket) == []


def test_output_that_ends_early_or_finds_no_room_is_told_so(sender, monkeypatch):
    sender.add({"a": b"1"})
    sender.files = [sender.files[0].model_copy(update={"size": 5})]
    with pytest.raises(StoreUnavailable, match="ends after 1 of 5 bytes of 'a'"):
        sender.send()
    monkeypatch.setattr(module, "_IN_MEMORY_BYTES", 2)
    with pytest.raises(StoreUnavailable, match="ends after 1 of 5 bytes of 'a'"):
        sender.send()
    sender.room = False
    with pytest.raises(StoreFull):
        sender.send()


def test_what_an_earlier_try_left_unfinished_is_aborted_and_nothing_of_others(
    sender, bucket_server, monkeypatch
):
    monkeypatch.setattr(module, "_IN_MEMORY_BYTES", 2)
    sender.add({"a": b"123"}, ("a",))
    for key in ("out/a", "out/a.theirs"):
        bucket_server.client.create_multipart_upload(Bucket=sender.place.bucket, Key=key)
    sender.send(again=True)
    assert bucket_server.uploads(sender.place.bucket) == ["out/a.theirs"]
