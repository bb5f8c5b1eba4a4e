import contextlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gridloom.devices import Needs
from gridloom.errors import BadManifest
from gridloom.manifests import Manifest, parse_manifest
from gridloom.warmth import Isolation, Network


def parse(**members):
    return parse_manifest(json.dumps({"name": "hello", "version": "0.1"} | members))


def test_both_spellings_and_any_case_are_read():
    manifest = parse_manifest(
        """{"Name": "web_scraper", "Version": "0.10", "PLATFORM": "Docker", "Entrypoint": "run/go.sh", "type": "App",
            "platformConfig": {"container": "python", "private_image": true, "privateimage": true, "secrets": "key"},
            "Device_Requirements": {"min_cpu": "2", "minMemory": 1.5, "gpu": ["NVIDIA A100-SXM4-40GB", ""]},}"""
    )
    assert (manifest.name, manifest.major, manifest.minor) == ("web_scraper", 0, 10)
    assert (manifest.script, manifest.type, manifest.platform) == ("app/run/go.sh", "app", "docker")
    assert (manifest.platform_config.private_image, manifest.platform_config.secrets) == (True, ("key",))
    assert manifest.needs() == Needs(cores=2, memory_mib=1536, gpus=("NVIDIA A100-SXM4-40GB",))


def test_what_is_left_open_gets_its_default():
    manifest = parse(description=None, deviceRequirements={})
    assert (manifest.entrypoint, manifest.type, manifest.platform) == ("main.py", "app", "docker")
    assert manifest.needs() == Needs()


@pytest.mark.parametrize("preload", ["auto", "off", ["numpy", "pandas.core"], []])
def test_a_manifest_survives_the_database(preload):
    manifest = parse(
        platform_config={"secrets": ["a", "b"]},
        device_requirements={"min_cpu": 2},
        network="egress",
        warm={"preload": preload, "isolation": "job"},
    )
    assert Manifest.model_validate(manifest.model_dump(mode="json")) == manifest


def test_tasks_are_apart_without_network_and_learn_what_to_import_unless_told_otherwise():
    plain = parse(network=None, warm={})
    assert (plain.network, plain.warm.preload, plain.warm.isolation) == ("none", "auto", "task")
    manifest = parse(
        NetWork="Egress", Warm={"PRE_LOAD": ["numpy", "numpy", "os.path"], "Isolation": "STRICT"}
    )
    assert (manifest.network, manifest.warm.isolation) == (Network.EGRESS, Isolation.STRICT)
    assert manifest.warm.preload == ("numpy", "os.path")
    assert parse(warm={"preload": "OFF"}).warm.preload == "off"


def test_a_module_that_has_no_name_is_named():
    with pytest.raises(BadManifest, match="'os; x' is not the name of a module"):
        parse(warm={"preload": ["os; x"]})


def test_the_registry_token_is_not_printed():
    assert "swordfish" not in repr(parse(platform_config={"token": "swordfish"}))


@pytest.mark.parametrize(
    ("members", "field"),
    [
        ({"name": "a/b"}, "name"),
        ({"name": "x" * 65}, "name"),
        ({"name": None}, "name"),
        ({"version": "1"}, "version"),
        ({"version": 0.1}, "version"),
        ({"version": "1.0\n"}, "version"),
        ({"platform": "wasm"}, "platform"),
        ({"type": "engine"}, "type"),
        ({"entrypoint": "../main.py"}, "entrypoint"),
        ({"entrypoint": "/etc/passwd"}, "entrypoint"),
        ({"entrypoint": "a\\b"}, "entrypoint"),
        ({"entrypoint": ""}, "entrypoint"),
        ({"deviceRequirements": {"minCpu": -1}}, "device_requirements.min_cpu"),
        ({"deviceRequirements": {"minCpu": "nan"}}, "device_requirements.min_cpu"),
        ({"deviceRequirements": []}, "device_requirements"),
        ({"platformConfig": {"secrets": {"a": 1}}}, "platform_config.secrets"),
        ({"platformConfig": {"container": "x" * 501}}, "platform_config.container"),
        ({"network": "host"}, "network"),
        ({"network": True}, "network"),
        ({"warm": "off"}, "warm"),
        ({"warm": {"isolation": "none"}}, "warm.isolation"),
        ({"warm": {"preload": "numpy"}}, "warm.preload"),
        ({"warm": {"preload": False}}, "warm.preload"),
        ({"warm": {"preload": {"numpy": 1}}}, "warm.preload"),
        ({"warm": {"preload": ["numpy", 1]}}, "warm.preload"),
        ({"warm": {"preload": ["num py"]}}, "warm.preload"),
        ({"warm": {"preload": [".numpy"]}}, "warm.preload"),
        ({"warm": {"preload": ["os;x"]}}, "warm.preload"),
        ({"warm": {"preload": ["ö"]}}, "warm.preload"),
        ({"warm": {"preload": ["a" * 201]}}, "warm.preload"),
        ({"warm": {"preload": [f"m{it}" for it in range(201)]}}, "warm.preload"),
    ],
)
def test_a_broken_member_is_named(members, field):
    with pytest.raises(BadManifest) as caught:
        parse(**members)
    assert caught.value.field == f"manifest.json.{field}"
    assert field in caught.value.message


@pytest.mark.parametrize("text", ["", "[]", "null", "{", '"x"'])
def test_what_is_no_object_is_refused(text):
    with pytest.raises(BadManifest, match=r"manifest\.json"):
        parse_manifest(text)


@given(
    st.dictionaries(
        st.sampled_from(
            [
                "name",
                "version",
                "entrypoint",
                "type",
                "platformConfig",
                "deviceRequirements",
                "network",
                "warm",
            ]
        ),
        st.none()
        | st.text()
        | st.integers()
        | st.lists(st.text())
        | st.dictionaries(st.text(), st.integers()),
    )
)
def test_any_object_is_a_manifest_or_refused(members):
    with contextlib.suppress(BadManifest):
        parse_manifest(json.dumps(members))
