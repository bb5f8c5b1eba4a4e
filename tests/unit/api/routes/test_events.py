"""Who may listen, to what, and in which form; `tests/unit/api/test_event_hub.py` has what is heard."""

import asyncio
import json
from functools import partial
from io import BytesIO

import pytest
from google.protobuf import proto

from api.proto import gridloom_pb2 as pb
from api.protobuf import MEDIA_TYPE
from api.shares import StreamRoom

EVENTS = "/v1/customer/events"


def heard(client, **how):
    """Return the answer to a listener whose stream the server ends as soon as it was greeted."""
    hub = client.app.state.events

    async def stop():
        for _ in range(1000):
            if not hub._views:
                await asyncio.sleep(0.01)
        hub.stop()

    async def listen():
        stopping = asyncio.create_task(stop())
        headers = client.headers | how.pop("headers", {})
        answer = await client._request("GET", EVENTS, headers, how)
        await stopping
        return answer

    return client.portal.call(listen)


def test_events_are_sent_as_they_come_and_kept_by_nobody(ada):
    answer = heard(ada)
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["x-accel-buffering"] == "no"
    first, ping = answer.text.split("\n\n")[:2]
    assert first == "retry: 1000"
    assert ping.startswith("event: ping\ndata: ")
    assert json.loads(ping.split("data: ")[1])["result"]["event"] == "ping"


@pytest.mark.parametrize("accept", ["text/event-stream", "*/*", "application/json, text/event-stream"])
def test_events_are_the_usual_form(ada, accept):
    assert heard(ada, headers={"Accept": accept}).text.startswith("retry:")


def test_who_asks_for_json_gets_lines_of_it(ada):
    answer = heard(ada, headers={"Accept": "application/json"})
    assert answer.headers["content-type"] == "application/json"
    assert json.loads(answer.text.splitlines()[0])["result"]["data"]["@type"].endswith("Ping")


@pytest.mark.parametrize(
    "accept", [MEDIA_TYPE, f"{MEDIA_TYPE}, application/json", f"text/html, {MEDIA_TYPE};q=0.9"]
)
def test_who_asks_for_messages_gets_them_one_behind_the_other(ada, accept):
    answer = heard(ada, headers={"Accept": accept})
    assert answer.headers["content-type"] == MEDIA_TYPE
    item = proto.parse_length_prefixed(pb.EventStreamItem, BytesIO(answer.content))
    assert item.result.event == "ping"
    assert item.result.data["@type"].endswith("Ping")


def test_the_token_may_stand_in_the_address(ada, anonymous):
    token = ada.headers["Authorization"]
    assert heard(anonymous, params={"access_token": token}).status_code == 200
    assert anonymous.get(f"/v1/customer/jobs?access_token={token}").status_code == 401


@pytest.mark.parametrize("query", ["", "?access_token=nonsense"])
def test_without_a_good_token_nobody_listens(anonymous, query):
    assert anonymous.get(f"{EVENTS}{query}").status_code == 401


def test_other_peoples_jobs_are_as_absent_as_none(draft, ada, bob):
    job_id = draft()["id"]
    for asked in (job_id, "00000000-0000-4000-8000-000000000000", "nonsense"):
        answer = bob.get(f"{EVENTS}?jobId={asked}")
        assert answer.status_code == 404
        assert answer.json()["message"] == f"there is no job {asked!r}"
    assert heard(ada, params={"jobId": job_id, "tasks": "false"}).status_code == 200


@pytest.mark.parametrize("query", [{"tasks": "perhaps"}, {"jobId": ["a"] * 101}])
def test_bad_questions_are_refused(ada, query):
    answer = ada.get(EVENTS, params=query)
    assert answer.status_code == 400
    assert next(iter(query)) in answer.json()["error"]["description"]


@pytest.mark.parametrize("path", [EVENTS, "/v1/customer/jobs/{}/logs/stream"])
def test_an_account_with_too_many_streams_gets_no_more(draft, ada, path):
    ada.app.state.events.room = StreamRoom(most=10, most_each=0)
    job_id = draft()["id"]
    answer = ada.get(path.format(job_id))
    assert answer.status_code == 429
    assert int(answer.headers["retry-after"]) > 0
    assert "streams" in answer.json()["message"]


def test_a_server_that_stops_takes_no_listener(ada):
    ada.portal.call(partial(ada.app.state.events.stop))
    answer = ada.get(EVENTS)
    assert answer.status_code == 503
    assert answer.headers["retry-after"] == "1"
