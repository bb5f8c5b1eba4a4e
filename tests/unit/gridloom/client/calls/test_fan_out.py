"""Tests of `map`; that with both clients."""

import io
import json
import tarfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gridloom.client.calls.fan_out import Bundle
from gridloom.errors import BadInput, ClientError

UP = {"job": {"id": "j", "dataSource": {"params": {"tempUrl": "http://fabric.test/up"}}}}


@given(st.lists(st.binary(max_size=2000) | st.text(max_size=200), max_size=6))
def test_a_bundle_is_a_tar_of_the_announced_size_in_order(inputs):
    bundle = Bundle.of(inputs)
    data = b"".join(bundle.blocks())
    assert len(data) == bundle.size
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        found = [archive.extractfile(it).read() for it in archive]
        assert archive.getnames() == sorted(archive.getnames())
    assert found == [it.encode() if isinstance(it, str) else it for it in inputs]


def test_files_are_read_while_they_are_sent(tmp_path):
    file = tmp_path / "a"
    file.write_bytes(b"x" * 600_000)
    bundle = Bundle.of([file])
    assert sum(map(len, bundle.blocks())) == bundle.size
    file.write_bytes(b"")
    with pytest.raises(BadInput, match="changed while it was read"):
        list(bundle.blocks())
    with pytest.raises(BadInput, match="is not a file"):
        Bundle.of([tmp_path])


def results(*names):
    return {"results": [{"name": name, "link": f"http://fabric.test/d/{name}"} for name in names]}


def test_each_input_gets_its_files_in_order(script, connect, no_waiting):
    names = ["10/a", "2/b", "2/a", "0/x/y"]
    script.answers = [
        {"app": {"name": "upper"}}, {"job": {"id": "j"}}, UP, (200, b""), {}, {"ok": True},
        {"job": {"id": "j", "state": "JOB_STATE_MERGING"}},
        {"job": {"id": "j", "state": "JOB_STATE_COMPLETE", "numChunks": 11}},
        results(*names), *((200, name.encode()) for name in names),
    ]  # fmt: skip
    seen = []
    outputs = connect().do("map", "upper", ["x"] * 11, params={"a": 1}, timeout_s=5, on_progress=seen.append)
    assert [[(it.name, it.text) for it in them] for them in outputs] == [
        [("x/y", "0/x/y")], [], [("a", "2/a"), ("b", "2/b")], *[[]] * 7, [("a", "10/a")],
    ]  # fmt: skip
    body = json.loads(script.seen[2].content)
    assert body["params"] == {
        "app": {"a": 1},
        "partitioner": {"files": 1, "unpack": True},
        "assembler": {"by_chunk": True},
    }
    assert body["config"] == {"jobTimeout": 5}
    assert [it.state for it in seen] == ["JOB_STATE_MERGING", "JOB_STATE_COMPLETE"]


def test_a_template_lends_its_app_and_settings(script, connect):
    template = {
        "id": "t",
        "app": "upper@1",
        "params": {"app": {"a": 1, "b": 2}},
        "config": {"taskTimeout": 9},
    }
    script.answers = [
        (404, {"message": "no app"}), template, {"job": {"id": "j"}}, UP, (200, b""), {}, {"ok": True},
        {"job": {"id": "j", "state": "JOB_STATE_FAILED", "errorMessage": "task 0: exit code 1"}},
    ]  # fmt: skip
    with pytest.raises(ClientError, match="job j failed: task 0: exit code 1"):
        connect().do("map", "t", ["x"], params={"b": 3})
    body = json.loads(script.seen[3].content)
    assert (body["app"], body["params"]["app"]) == ("upper@1", {"a": 1, "b": 3})
    assert body["config"] == {"taskTimeout": 9}


def test_no_input_makes_no_call(script, connect):
    assert connect().do("map", "upper", []) == []
    assert script.seen == []
