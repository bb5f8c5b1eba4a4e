from ipaddress import IPv4Address, ip_address, ip_network

import pytest

from gridloom.errors import RunnerFailed
from gridloom.net_guard import is_public
from worker.runners.docker.firewall import Firewall, host_resolvers, rules, run

RESOLVER = IPv4Address("10.0.0.2")


class FakeTables:
    """iptables and ip6tables with one table, in memory."""

    def __init__(self):
        self.lines = {"iptables": ["-P PREROUTING ACCEPT"], "ip6tables": ["-P PREROUTING ACCEPT"]}
        self.written = 0
        self.loses = False

    def __call__(self, argv, given):
        command, verb = argv[0], next((it for it in argv if it in {"-C", "-I", "-S"}), "")
        rule = " ".join(argv[argv.index(verb) + 1 :]) if verb else ""
        if command == "iptables-restore":
            self.restore(given.splitlines())
        elif verb == "-S":
            return "\n".join(self.lines[command])
        elif verb == "-C" and f"-A {rule}" not in self.lines[command]:
            raise RunnerFailed("no such rule")
        elif verb == "-I":
            self.lines[command].insert(1, f"-A {rule}")
        return ""

    def restore(self, lines):
        assert lines[0] == "*raw"
        assert lines[-1] == "COMMIT"
        chain = lines[1].split()[0][1:]
        kept = [it for it in self.lines["iptables"] if not it.startswith((f"-A {chain} ", f"-N {chain}"))]
        added = lines[2:-1]
        self.lines["iptables"] = [*kept, f"-N {chain}", *(added[1:] if self.loses else added)]
        self.written += 1


@pytest.fixture
def tables():
    return FakeTables()


@pytest.fixture
def firewall(tables, tmp_path):
    return Firewall("gl9", lambda: [RESOLVER], tables, tmp_path / "lock")


def test_what_is_not_public_is_dropped_and_the_host_itself_first():
    text = rules([])
    assert text[0] == "-m addrtype --dst-type LOCAL -j DROP"
    dropped = [ip_network(it.split()[1]) for it in text[1:]]
    for address in (
        "10.1.2.3",
        "172.31.0.1",
        "192.168.1.1",
        "100.64.0.1",
        "169.254.169.254",
        "127.0.0.11",
        "0.0.0.0",
    ):
        assert any(ip_address(address) in it for it in dropped), address
    for address in ("224.0.0.251", "255.255.255.255", "198.18.0.1"):
        assert any(ip_address(address) in it for it in dropped), address
    for address in ("1.1.1.1", "172.32.0.1", "100.63.255.255", "192.167.0.1"):
        assert is_public(ip_address(address))
        assert not any(ip_address(address) in it for it in dropped), address


def test_name_servers_may_be_asked_for_names_alone():
    assert rules([RESOLVER])[:2] == [
        "-d 10.0.0.2/32 -p udp --dport 53 -j RETURN",
        "-d 10.0.0.2/32 -p tcp --dport 53 -j RETURN",
    ]


@pytest.mark.parametrize(
    ("conf", "behind", "found"),
    [
        ("nameserver 10.0.0.2\nsearch x\n#nameserver 10.0.0.9\nnameserver fe80::1%eth0\n", "", ["10.0.0.2"]),
        (
            "nameserver 127.0.0.53\noptions edns0\n",
            "nameserver 192.168.1.1\nnameserver 8.8.8.8\n",
            ["192.168.1.1", "8.8.8.8"],
        ),
        ("nameserver 127.0.0.1\nnameserver 10.0.0.2\n", "nameserver 10.0.0.3\n", ["10.0.0.2"]),
        ("", "", []),
    ],
)
def test_the_name_servers_are_those_that_docker_asks(tmp_path, conf, behind, found):
    (tmp_path / "conf").write_text(conf)
    (tmp_path / "behind").write_text(behind)
    assert [str(it) for it in host_resolvers(tmp_path / "conf", tmp_path / "behind")] == found


def test_without_such_files_there_are_none(tmp_path):
    assert host_resolvers(tmp_path / "none", tmp_path / "none") == ()


def test_rules_are_set_once_and_seen_to_stand(firewall, tables, tmp_path):
    firewall.hold()
    before = {command: [*lines] for command, lines in tables.lines.items()}
    assert tables.lines["iptables"][1] == "-A PREROUTING -i gl9 -j EGRESS-gl9"
    assert tables.lines["ip6tables"][1] == "-A PREROUTING -i gl9 -j DROP"
    firewall.hold()
    assert tables.written == 1
    Firewall("gl9", lambda: [RESOLVER], tables, tmp_path / "lock").hold()
    assert tables.lines == before


@pytest.mark.parametrize("command", ["iptables", "ip6tables"])
@pytest.mark.parametrize("place", [1, -1])
def test_rules_that_somebody_took_away_come_back(firewall, tables, command, place):
    firewall.hold()
    before = {*tables.lines[command]}
    del tables.lines[command][place]
    firewall.hold()
    assert {*tables.lines[command]} == before


def test_other_name_servers_make_other_rules(tables, tmp_path):
    servers = [RESOLVER]
    firewall = Firewall("gl9", lambda: servers, tables, tmp_path / "lock")
    firewall.hold()
    servers[:] = [IPv4Address("10.0.0.3")]
    firewall.hold()
    assert "-A EGRESS-gl9 -d 10.0.0.3/32 -p udp --dport 53 -j RETURN" in tables.lines["iptables"]
    assert not any("10.0.0.2/32" in it for it in tables.lines["iptables"])


def test_rules_that_do_not_stand_are_an_error(firewall, tables):
    tables.loses = True
    with pytest.raises(RunnerFailed, match="not all there"):
        firewall.hold()


def test_a_missing_command_and_a_failing_one_say_so(monkeypatch):
    with pytest.raises(RunnerFailed, match="there is no gridloom-none"):
        run(["gridloom-none"])
    with pytest.raises(RunnerFailed, match=r"^sh: it broke$"):
        run(["sh", "-c", "echo it broke >&2; exit 3"])
    assert run(["cat"], "given") == "given"


def test_who_may_not_lock_may_not_set_rules(tables, tmp_path):
    with pytest.raises(RunnerFailed, match="No such file"):
        Firewall("gl9", list, tables, tmp_path / "none" / "lock").hold()
    assert tables.written == 0
