"""Messages in and out: what JSON says, a message says too."""

import pytest
from google.protobuf import json_format

from api.proto import gridloom_pb2 as pb
from api.protobuf import MEDIA_TYPE
from scripts import protos

HEADERS = {"Content-Type": MEDIA_TYPE, "Accept": MEDIA_TYPE}


def test_the_published_file_has_every_message_and_is_compiled():
    assert protos.text_of(protos.FILE.read_text()) == protos.FILE.read_text(), "run scripts/protos.py"


def test_a_message_goes_in_and_a_message_comes_out(ada):
    body = pb.CreateJobRequest(app="hello", partitioner="passthrough", assembler="passthrough", name="m")
    answer = ada.post("/v1/customer/jobs", content=body.SerializeToString(), headers=HEADERS)
    assert answer.status_code == 404  # there is no such app
    error = pb.ErrorBody.FromString(answer.content)
    assert answer.headers["content-type"] == MEDIA_TYPE
    assert "hello" in error.message
    assert error.error.code == 404


def test_an_answer_says_the_same_in_both_forms(ada, pack):
    pushed = ada.post("/v1/dev/apps", json={"data": pack()}).json()
    answer = ada.get("/v1/dev/apps", headers={"Accept": MEDIA_TYPE})
    message = pb.AppListResponse.FromString(answer.content)
    assert json_format.MessageToDict(message)["apps"][0]["createdAt"] == pushed["createdAt"].replace(
        "+00:00", "Z"
    )
    assert message.apps[0].revision == int(pushed["revision"])
    assert message.pagination.total == 1


def test_a_bare_body_is_a_message_with_one_member(ada, pack):
    ada.post("/v1/dev/apps", json={"data": pack()})
    ada.post("/v1/dev/apps/hello/activate")
    draft = {"app": "hello", "partitioner": "passthrough", "assembler": "passthrough"}
    job_id = ada.post("/v1/customer/jobs", json=draft).json()["job"]["id"]
    body = pb.NameRequest(name="renamed").SerializeToString()
    answer = ada.request("PATCH", f"/v1/customer/jobs/{job_id}/jobname", content=body, headers=HEADERS)
    assert pb.JobResponse.FromString(answer.content).job.name == "renamed"


@pytest.mark.parametrize("body", [b"\xff\xff\xff", b"\x0a\xff"])
def test_what_is_no_message_is_refused(ada, body):
    answer = ada.post("/v1/customer/jobs", content=body, headers={"Content-Type": MEDIA_TYPE})
    assert answer.status_code == 400
    assert answer.json()["ok"] is False


def test_a_client_that_prefers_json_gets_it(ada):
    accept = {"Accept": f"application/json, {MEDIA_TYPE};q=0.5"}
    assert ada.get("/v1/customer/jobs", headers=accept).json()["data"] == []


def test_numbers_of_fields_are_kept_and_never_used_again():
    old = "message NameRequest {\n  reserved 2;\n  string gone = 7;\n  string name = 5;\n}\n"
    known = protos.known_messages(old)["NameRequest"]
    text = protos.message("NameRequest", protos.shapes()["NameRequest"], known)
    assert "reserved 2, 7;" in text
    assert "string name = 5;" in text
