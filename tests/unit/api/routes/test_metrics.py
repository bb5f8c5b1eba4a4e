from functools import partial

import httpx
import pytest

from storage.repositories import worker_metrics
from tests.fixtures.fabric import Fabric


def get(client, host, **headers):
    """Call as a client at this address."""

    async def call():
        transport = httpx.ASGITransport(app=client.app, client=(host, 4711))
        async with httpx.AsyncClient(transport=transport, base_url="http://fabric.test") as http:
            return await http.get("/metrics", headers=headers)

    return client.portal.call(partial(call))


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.9.1", "::1"])
def test_this_machine_needs_no_token(anonymous, host):
    answer = get(anonymous, host)
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/plain; version=")
    assert "process_resident_memory_bytes" in answer.text


@pytest.mark.parametrize("host", ["10.0.0.1", "192.0.2.7", "2001:db8::1", "testclient"])
def test_anybody_else_needs_one(ada, anonymous, host):
    assert get(anonymous, host).status_code == 401
    assert get(anonymous, host, authorization="Bearer x.y.z").status_code == 401
    assert get(anonymous, host, authorization=ada.headers["Authorization"]).status_code == 200


@pytest.mark.parametrize("header", ["Forwarded", "X-Forwarded-For", "X-Real-IP", "Origin"])
def test_whoever_stands_behind_this_machine_is_somebody_else(anonymous, header):
    assert get(anonymous, "127.0.0.1", **{header: "127.0.0.1"}).status_code == 401


def test_jobs_and_live_workers_are_on_the_page(anonymous, draft):
    draft()
    fabric = Fabric(anonymous.context.database)
    fabric.write(worker_metrics.put, fabric.worker("box"), "pool_members 3\n")
    text = get(anonymous, "127.0.0.1").text
    assert 'gridloom_jobs{state="JOB_STATE_NEW"} 1.0' in text
    assert 'pool_members{worker="box"} 3.0' in text
