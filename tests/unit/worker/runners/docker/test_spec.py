"""Unit tests of what a container is allowed, as asked for and as the daemon has it."""

import json
import os
from dataclasses import replace
from pathlib import Path

from worker.runners.docker.spec import AGENT_AT, AGENT_MIB, Plan, Shown, config, memory_of, scratch_of
from worker.runners.protocol import SlotKey
from worker.runners.rlimits import DEFAULT_MEMORY_MIB

MIB = 1 << 20
PLAN = Plan(
    name="gridloom-0",
    image="sha256:0",
    env={"PATH": "/bin"},
    volumes=(),
    key=SlotKey(owner="owner", memory_mib=256, cores=1.5),
    command=("python3", "-"),
    folder=Path("/scratch/runs/gridloom-0"),
    shown=(
        Shown(source=Path("/scratch/runs/gridloom-0"), writable=True),
        Shown(source=Path("/a"), at=AGENT_AT),
    ),
    user="65534:65534",
    network="",
    labels={"a": "b"},
    security=("seccomp={}",),
)


def test_memory_has_no_swap_and_room_for_the_agent():
    host = config(PLAN)["HostConfig"]
    assert host["Memory"] == host["MemorySwap"] == (256 + AGENT_MIB) * MIB
    assert scratch_of(PLAN.key) == 128
    assert memory_of(SlotKey(owner="owner")) == DEFAULT_MEMORY_MIB


def test_cores_are_bounded_by_those_there_are():
    for cores, asked in ((0.0, 0.01), (0.5, 0.5), (1e6, os.cpu_count())):
        host = config(replace(PLAN, key=replace(PLAN.key, cores=cores)))["HostConfig"]
        assert host["NanoCpus"] == int(asked * 1e9)


def test_variables_of_ours_yield_to_the_images_but_for_the_home():
    assert config(PLAN)["Env"] == ["LANG=C.UTF-8", "OMP_NUM_THREADS=1", "HOME=/tmp", "TMPDIR=/tmp"]
    own = {"LANG": "C", "OMP_NUM_THREADS": "9", "HOME": "/root"}
    assert config(replace(PLAN, env=own))["Env"] == ["HOME=/tmp", "TMPDIR=/tmp"]


def test_an_images_volumes_are_shadowed():
    mounts = config(replace(PLAN, volumes=("/data",)))["HostConfig"]["Mounts"]
    assert [(it["Type"], it["Target"], it["ReadOnly"]) for it in mounts] == [
        ("bind", "/scratch/runs/gridloom-0", False),
        ("bind", AGENT_AT, True),
        ("tmpfs", "/data", True),
    ]


def test_the_daemon_has_every_container_within_the_policy(open_slot, runner, docker_client, python_image):
    slot = open_slot(python_image, memory_mib=128, cores=1.0)
    facts = docker_client.api.inspect_container(slot.folder.name)
    wishes, host = facts["Config"], facts["HostConfig"]
    assert wishes["User"].split(":")[0] not in {"", "0", "root"}
    assert wishes["Hostname"] == "task"
    assert wishes["Healthcheck"] == {"Test": ["NONE"]}
    assert not wishes["Cmd"]
    assert host["CapDrop"] == ["ALL"]
    assert not host["CapAdd"]
    assert host["Privileged"] is False
    assert host["ReadonlyRootfs"] is True
    options = dict(it.partition("=")[::2] for it in host["SecurityOpt"])
    assert "no-new-privileges" in options
    assert json.loads(options["seccomp"])["syscalls"]
    assert host["PidsLimit"] > 0
    assert host["Memory"] == host["MemorySwap"] == (128 + AGENT_MIB) * MIB
    assert host["NanoCpus"] == 10**9
    assert {(it["Name"], it["Hard"]) for it in host["Ulimits"]} >= {("nofile", 16384), ("core", 0)}
    assert {"nosuid", "nodev"} < {*host["Tmpfs"]["/tmp"].split(",")}
    assert "size=" in host["Tmpfs"]["/tmp"]
    assert (host["IpcMode"], host["NetworkMode"]) == ("private", "none")
    assert (host["PidMode"], host["UTSMode"], host["UsernsMode"]) == ("", "", "")
    assert (host["LogConfig"]["Type"], host["LogConfig"]["Config"]["max-size"]) == ("json-file", "64k")
    assert not any(
        host[it] for it in ("Devices", "DeviceRequests", "Binds", "VolumesFrom", "Links", "GroupAdd")
    )
    assert host["AutoRemove"] is False
    grounds = runner._grounds
    assert {(it["Destination"], it["RW"]) for it in facts["Mounts"]} == {
        (str(slot.folder), True),
        (str(grounds.user_caches / "owner"), True),
        (str(grounds.components / "owner"), False),
        (str(grounds.shared_cache), False),
        (AGENT_AT, False),
    }
    assert {it["Source"] for it in facts["Mounts"]} <= {
        str(it) for it in (slot.folder, *(runner._grounds.slots.parent).rglob("*"))
    }
