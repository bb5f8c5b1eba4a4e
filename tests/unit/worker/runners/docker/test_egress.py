"""What containers reach for real, with a network namespace that stands for the world outside."""

import json
import os
import random
import shutil
import socket
import subprocess
import sys
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from ipaddress import IPv4Address
from types import SimpleNamespace

import pytest
from docker.errors import NotFound

from gridloom.errors import AttemptFailed, RunnerFailed
from gridloom.states import EndReason
from tests.fixtures.children import child
from tests.fixtures.dockerd import missing
from worker.runners.docker.daemon import Engine, open_client
from worker.runners.docker.egress import Egress
from worker.runners.docker.firewall import Firewall, run

LABEL = "gridloom.test.egress"

WORLD = """
import socket, sys
server = socket.create_server(("0.0.0.0", 8000), backlog=64)
names = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
names.bind((sys.argv[1], 53))
open("ready", "w").close()
while True:
    query, asker = names.recvfrom(512)
    end = query.index(0, 12) + 5
    is_a = query[end - 4 : end] == bytes([0, 1, 0, 1])
    head = query[:2] + bytes([0x81, 0x80, 0, 1, 0, int(is_a), 0, 0, 0, 0])
    answer = bytes([0xC0, 12, 0, 1, 0, 1, 0, 0, 0, 9, 0, 4, 7, 7, 7, 7]) if is_a else b""
    names.sendto(head + query[12:end] + answer, asker)
"""

PROBE = """
import json, socket, sys
from concurrent.futures import ThreadPoolExecutor
def reached(target):
    try:
        socket.create_connection(tuple(target), 1.5).close()
        return True
    except OSError:
        return False
targets = json.loads(sys.argv[1])
with ThreadPoolExecutor(32) as pool:
    found = dict(zip(targets, pool.map(reached, targets.values())))
for _ in range(3):  # a name server may lose a question
    try:
        found["name"] = socket.gethostbyname("somewhere.example")
        break
    except OSError as error:
        found["name"] = str(error)
print(json.dumps(found))
"""

LISTEN = (
    "import socket, time; it = socket.create_server(('', 8000)); print('ready', flush=True); time.sleep(60)"
)


@pytest.fixture
def place(docker_url):
    """Names for one test's network, and nothing of them left behind."""
    if os.geteuid() != 0 or shutil.which("iptables", path=f"{os.environ['PATH']}:/usr/sbin:/sbin") is None:
        missing("rules for egress need root and iptables")
    mark = uuid.uuid4().hex[:8]
    opener = partial(open_client, docker_url)
    it = SimpleNamespace(opener=opener, client=opener(), mark=mark, name=f"gl-t-{mark}", bridge=f"glt{mark}")
    it.free = f"gl-t-free-{mark}"
    it.egress = lambda **options: Egress(opener, name=it.name, bridge=it.bridge, **options)
    yield it
    for container in it.client.containers(all=True, filters={"label": f"{LABEL}={mark}"}):
        it.client.remove_container(container["Id"], force=True)
    for name in (it.name, it.free):
        with suppress(NotFound):
            it.client.remove_network(name)
    it.client.close()
    unset(it)


def unset(place):
    chain = f"EGRESS-{place.bridge}"
    if any(place.bridge in line for line in rules_of(place)):
        run(["iptables", "-w", "-t", "raw", "-D", "PREROUTING", "-i", place.bridge, "-j", chain])
        run(["iptables", "-w", "-t", "raw", "-F", chain])
        run(["iptables", "-w", "-t", "raw", "-X", chain])
    if place.bridge in run(["ip6tables", "-w", "-t", "raw", "-S"]):
        run(["ip6tables", "-w", "-t", "raw", "-D", "PREROUTING", "-i", place.bridge, "-j", "DROP"])


def rules_of(place):
    return [it for it in run(["iptables", "-w", "-t", "raw", "-S"]).splitlines() if place.bridge in it]


@pytest.fixture
def world(place, tmp_path):
    """Addresses of all kinds behind a link of this machine, with a TCP server and a name server on each."""
    if shutil.which("ip") is None:
        pytest.skip("no `ip` to make a network with")
    link, inside, space = f"glv{place.mark}", f"glw{place.mark}", f"gl-{place.mark}"
    place_of, low = 4 * random.randrange(64), random.randrange(1, 255)
    here, public = f"192.52.193.{place_of + 1}", f"192.52.193.{place_of + 2}"  # AMT's, which nobody uses
    behind = {"private": f"10.213.{low}.9", "metadata": f"169.254.{low}.254", "resolver": f"172.29.{low}.53"}
    run(["ip", "netns", "add", space])
    try:
        run(["ip", "link", "add", link, "type", "veth", "peer", "name", inside, "netns", space])
        run(["ip", "addr", "add", f"{here}/30", "dev", link])
        run(["ip", "link", "set", link, "up"])
        within = ["ip", "-n", space]
        for name in (inside, "lo"):
            run([*within, "link", "set", name, "up"])
        run([*within, "addr", "add", f"{public}/30", "dev", inside])
        run([*within, "route", "add", "default", "via", here])
        for address in behind.values():
            run([*within, "addr", "add", f"{address}/32", "dev", "lo"])
            run(["ip", "route", "add", f"{address}/32", "via", public])
        (tmp_path / "world.py").write_text(WORLD)
        argv = ["ip", "netns", "exec", space, sys.executable, tmp_path / "world.py", behind["resolver"]]
        with child(argv, ready=(tmp_path / "ready").exists, log=tmp_path / "log"):
            yield {"public": public, **behind}
    finally:
        subprocess.run(["ip", "link", "delete", link], check=False, capture_output=True)
        run(["ip", "netns", "delete", space])


def start(place, image, network, argv, dns=()):
    client = place.client
    made = client.create_container(
        image,
        argv,
        labels={LABEL: place.mark},
        host_config=client.create_host_config(network_mode=network, dns=[*dns], cap_drop=["ALL"]),
    )["Id"]
    client.start(made)
    return made


def probe(place, image, network, targets, dns=()):
    """Tell which of the targets, by name, a container on a network reaches, and what name it resolves."""
    made = start(place, image, network, ["python3", "-c", PROBE, json.dumps(targets)], dns)
    assert place.client.wait(made, timeout=30)["StatusCode"] == 0, place.client.logs(made)
    return json.loads(place.client.logs(made, stderr=False))


def host_addresses(client, *networks):
    gateways = {it: client.inspect_network(it)["IPAM"]["Config"][0]["Gateway"] for it in networks}
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as link:
        link.connect(("192.52.193.253", 9))  # sends nothing; tells by which address the host goes out
        return {**gateways, "own": link.getsockname()[0]}


def test_containers_reach_public_addresses_and_nothing_else(place, world, python_image):
    egress = place.egress(firewall=Firewall(place.bridge, lambda: [IPv4Address(world["resolver"])]))
    network = egress.network()
    place.client.create_network(place.free, driver="bridge")
    sibling = start(place, python_image, network, ["python3", "-c", LISTEN])
    while b"ready" not in place.client.logs(sibling):
        time.sleep(0.02)
    siblings = place.client.inspect_container(sibling)["NetworkSettings"]["Networks"][network]["IPAddress"]
    with socket.create_server(("0.0.0.0", 0), backlog=64) as server:
        port = server.getsockname()[1]
        host = {name: (it, port) for name, it in host_addresses(place.client, network, place.free).items()}
        outside = {name: (it, 8000) for name, it in world.items()}
        targets = {**host, **outside, "sibling": (siblings, 8000)}
        dns = [world["resolver"]]
        free = probe(place, python_image, place.free, {**host, **outside})
        found = probe(place, python_image, network, targets, dns)
    assert all(free[name] for name in {**host, **outside}), free
    assert {name for name, it in found.items() if it is True} == {"public"}
    assert found["name"] == "7.7.7.7"


def test_workers_that_start_together_make_one_network(place):
    with ThreadPoolExecutor(4) as pool:
        made = [*pool.map(lambda _: place.egress().network(), range(4))]
    assert made == [place.name] * 4
    assert len(place.client.networks(names=[place.name])) == 1
    facts = place.client.inspect_network(place.name)
    assert facts["Labels"] == {"gridloom.egress": "1"}
    assert not facts["EnableIPv6"]
    jumps = [it for it in rules_of(place) if it.startswith("-A PREROUTING")]
    assert jumps == [f"-A PREROUTING -i {place.bridge} -j EGRESS-{place.bridge}"]


def test_rules_that_were_flushed_stand_again_for_the_next_slot(place):
    egress = place.egress()
    egress.network()
    before = rules_of(place)
    egress.network()
    assert rules_of(place) == before
    run(["iptables", "-w", "-t", "raw", "-F", f"EGRESS-{place.bridge}"])
    assert rules_of(place) != before
    egress.network()
    assert rules_of(place) == before


def test_without_rules_there_is_no_network(place):
    def may_not(argv, given):
        raise RunnerFailed("iptables: Permission denied (you must be root)")

    with pytest.raises(
        AttemptFailed, match=r"Permission denied.*as root.*GRIDLOOM_EGRESS_NETWORK"
    ) as failure:
        place.egress(firewall=Firewall(place.bridge, run=may_not)).network()
    assert failure.value.reason is EndReason.RUNNER_FAILED
    assert place.client.networks(names=[place.name]) == []


def test_a_network_of_that_name_without_the_locks_is_refused(place):
    place.client.create_network(
        place.name, driver="bridge", options={"com.docker.network.bridge.name": place.bridge}
    )
    with pytest.raises(AttemptFailed, match="not as Gridloom makes it"):
        place.egress().network()


def test_the_operators_own_network_takes_its_place(place):
    with pytest.raises(AttemptFailed, match=f"no network '{place.name}'"):
        place.egress(own=place.name).network()
    place.client.create_network(place.name, driver="bridge")
    assert place.egress(own=place.name).network() == place.name
    assert rules_of(place) == []


def test_podman_needs_the_operators_own(place, monkeypatch):
    monkeypatch.setattr("worker.runners.docker.egress.engine_of", lambda client: Engine.PODMAN)
    with pytest.raises(AttemptFailed, match="Podman"):
        place.egress().network()


def test_a_kernel_that_lets_neighbours_talk_is_refused(place, monkeypatch, tmp_path):
    (tmp_path / "off").write_text("0\n")
    for setting in (tmp_path / "off", tmp_path / "none"):
        monkeypatch.setattr("worker.runners.docker.egress._BRIDGED_TOO", setting)
        with pytest.raises(AttemptFailed, match="br_netfilter"):
            place.egress().network()
