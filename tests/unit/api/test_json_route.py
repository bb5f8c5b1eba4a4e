import pytest


@pytest.mark.parametrize("kind", ["application/x-www-form-urlencoded", "text/plain", ""])
def test_a_body_is_read_as_json_whatever_it_says_it_is(ada, kind):
    answer = ada.request(
        "POST", "/v1/customer/jobs", content=b'{"templateId": "absent"}', headers={"Content-Type": kind}
    )
    assert answer.status_code == 404
    assert "absent" in answer.json()["message"]
