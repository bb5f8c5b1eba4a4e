"""Secrets in params: found under every spelling and at every depth, and put back just where they were."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gridloom.errors import BadInput
from gridloom.inline_credentials import NAMES, apart, template_without, together

SPELLINGS = (
    "secretKey",
    "secret_key",
    "SECRET-KEY",
    "Password",
    "passwd",
    "secretAccessKey",
    "AWS_SECRET_ACCESS_KEY",
    "sessionToken",
    "AWS_SESSION_TOKEN",
)
MEMBERS = st.sampled_from([*SPELLINGS, "name", "url", "a.b", ""])
PARAMS = st.dictionaries(
    MEMBERS.filter(lambda it: it not in SPELLINGS) | st.text(max_size=3),
    st.recursive(
        st.none() | st.integers() | st.text(max_size=5),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(MEMBERS.filter(lambda it: it not in SPELLINGS), inner)
        ),
        max_leaves=8,
    ),
)


@pytest.mark.parametrize("name", SPELLINGS)
def test_every_spelling_is_taken_out(name):
    assert apart({name: "hush", "name": "f"}, "x") == ({"name": "f"}, [((name,), "hush")])


def test_depth_and_lists_hide_nothing_and_the_sent_params_stay():
    params = {"auth": {"user": "u", "password": "a"}, "many": [{"secretKey": "b"}, [{"secret_key": "c"}], 1]}
    sent = json.loads(json.dumps(params))
    shown, found = apart(params, "x")
    assert shown == {"auth": {"user": "u"}, "many": [{}, [{}], 1]}
    assert sorted(value for _, value in found) == ["a", "b", "c"]
    assert params == sent == together(shown, json.loads(json.dumps(found)))
    assert shown == {"auth": {"user": "u"}, "many": [{}, [{}], 1]}


@given(PARAMS, st.sampled_from(SPELLINGS), st.text(min_size=1, max_size=5))
def test_together_undoes_apart(params, name, secret):
    inner = {name: secret, "inner": params}
    whole = params | {"deep": [inner], name: secret}
    shown, found = apart(whole, "x")
    assert together(shown, found) == whole
    assert shown == params | {"deep": [{"inner": params}]}


def test_empty_ones_are_none():
    assert apart({"password": "", "secretKey": None, "username": ""}, "x") == ({"username": ""}, [])


@pytest.mark.parametrize("value", [1, True, ["hush"], {"value": "hush"}])
def test_what_is_no_text_is_refused_by_name(value):
    with pytest.raises(BadInput, match=r"^dataSource\.params\.auth\.password must be a string$") as caught:
        apart({"auth": {"password": value}}, "dataSource.params")
    assert caught.value.field == "dataSource.params.auth.password"


def test_the_deepest_json_is_walked():
    params = {}
    for _ in range(3000):
        params = {"a": params}
    assert apart(params, "x")[1] == []


def test_a_template_keeps_its_bytes_unless_its_ends_hold_secrets():
    plain = b'{"id": "t",  "params": {"app": {"password": "p"}}, "dataSource": {"params": {"name": "f"}}}'
    assert template_without(plain) == plain
    assert template_without(b"{ no json") == b"{ no json"
    assert template_without(b"[1]") == b"[1]"
    secret = {
        "id": "t",
        "data_source": {"params": {"secretKey": "hush"}},
        "DataDestination": {"password": "hush"},
    }
    kept = json.loads(template_without(json.dumps(secret).encode()))
    assert kept == {"id": "t", "data_source": {"params": {}}, "DataDestination": {}}


def test_names_are_folded_as_they_are_compared():
    assert {name.replace("_", "").lower() for name in NAMES} == NAMES
