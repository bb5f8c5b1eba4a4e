import json

import pytest

from gridloom.manifest_text import renamed, without_login

LOGIN = {"Container": "reg/x", "privateImage": True, "UserName": "u", "TOKEN": "swordfish", "secrets": ["k"]}


@pytest.mark.parametrize("key", ["platform_config", "platformConfig", "PlatformConfig"])
def test_the_login_is_taken_out_however_it_is_spelled(key):
    text = without_login(json.dumps({"name": "n", "username": "stays", key: LOGIN}).encode())
    kept = {"Container": "reg/x", "privateImage": True, "secrets": ["k"]}
    assert json.loads(text) == {"name": "n", "username": "stays", key: kept}


@pytest.mark.parametrize(
    "text",
    [b'{"name": "n",}', b'{"platform_config": {"token": "", "container": "x"}}', b'{"platform_config": 1}'],
)
def test_a_manifest_without_login_stays_as_it_was_written(text):
    assert without_login(text) == text


def test_the_name_is_changed_under_the_key_it_had():
    assert json.loads(renamed(b'{"Name": "a", "Version": "1.0",}', "b")) == {"Name": "b", "Version": "1.0"}
    assert renamed(b'{"name":"a"}', "a") == b'{"name":"a"}'
