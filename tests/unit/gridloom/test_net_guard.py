"""Which addresses count as public, and what the operator may allow."""

import socket
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gridloom.errors import AddressRefused, SetupFailed
from gridloom.net_guard import Lookup, PrivateHosts, addresses_of, is_public, literal_address

PRIVATE = [
    "0.0.0.0",
    "0.1.2.3",
    "10.1.2.3",
    "100.64.0.1",
    "127.0.0.1",
    "127.255.255.254",
    "169.254.169.254",
    "172.16.0.1",
    "172.31.255.255",
    "192.168.1.1",
    "192.0.0.170",
    "198.18.0.1",
    "198.51.100.7",
    "203.0.113.7",
    "224.0.0.1",
    "239.255.255.250",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::ffff:127.0.0.1",
    "::ffff:10.0.0.1",
    "::127.0.0.1",
    "64:ff9b::7f00:1",
    "64:ff9b::10.0.0.1",
    "64:ff9b:1::808:808",
    "2002:7f00:1::1",
    "2002:808:808::1",
    "2001:0:7f00:1::",
    "2001:db8::1",
    "100::1",
    "fc00::1",
    "fd00:ec2::254",
    "fe80::1",
    "fe80::1%eth0",
    "fec0::1",
    "ff02::1",
]
PUBLIC = ["1.1.1.1", "8.8.8.8", "100.63.255.255", "100.128.0.1", "172.32.0.1", "223.255.255.254"]
PUBLIC += ["2606:4700:4700::1111", "2001:4860:4860::8888", "::ffff:8.8.8.8", "64:ff9b::808:808"]


def resolver(*addresses: str) -> Lookup:
    def lookup(host: str, port: int, **more: object) -> list[Any]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in addresses]

    return lookup


@pytest.mark.parametrize("text", PRIVATE)
def test_special_addresses_are_not_public(text: str) -> None:
    assert not is_public(ip_address(text))


@pytest.mark.parametrize("text", PUBLIC)
def test_ordinary_addresses_are_public(text: str) -> None:
    assert is_public(ip_address(text))


@given(st.ip_addresses(v=4))
def test_no_public_v4_address_is_private_to_the_standard_library(address: IPv4Address) -> None:
    if is_public(address):
        assert address.is_global
        assert not address.is_multicast
    assert is_public(IPv6Address(f"::ffff:{address}")) == is_public(address)
    assert is_public(IPv6Address(f"64:ff9b::{address}")) == is_public(address)


@given(st.ip_addresses(v=6))
def test_no_public_v6_address_is_private_to_the_standard_library(address: IPv6Address) -> None:
    if is_public(address):
        assert address.is_global
        assert not address.is_multicast


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "127.1",
        "2130706433",
        "0x7f000001",
        "0x7f.1",
        "017700000001",
        "localhost",
        "LOCALHOST.",
        "a.localhost",
    ],
)
def test_every_spelling_of_loopback_is_recognised(host: str) -> None:
    assert literal_address(host) == IPv4Address("127.0.0.1")


def test_names_and_bracketed_addresses_are_told_apart() -> None:
    assert literal_address("[::1]") == IPv6Address("::1")
    for host in ("example.org", "", "1.2.3.4.example.org", "ünï.example"):
        assert literal_address(host) is None


def test_the_operator_allows_names_addresses_and_networks() -> None:
    allow = PrivateHosts.parse("nas.example, 10.0.0.0/8 [fd00::1],192.168.1.7")
    assert allow.allow("NAS.example.", ip_address("127.0.0.1"))
    assert allow.allow("x", ip_address("10.9.9.9"))
    assert allow.allow("x", ip_address("::ffff:10.9.9.9"))
    assert allow.allow("x", ip_address("fd00::1"))
    assert allow.allow("x", ip_address("192.168.1.7"))
    assert allow.allow("x", ip_address("1.1.1.1"))
    for address in ("127.0.0.1", "192.168.1.8", "fd00::2"):
        assert not allow.allow("x", ip_address(address))
    assert PrivateHosts.parse("") == PrivateHosts()


@pytest.mark.parametrize("text", ["http://x", "10.0.0.0/99", "a,b/c", "*.example"])
def test_a_malformed_allow_list_is_a_setup_error(text: str) -> None:
    with pytest.raises(SetupFailed):
        PrivateHosts.parse(text)


def test_one_private_address_among_public_ones_refuses_the_name() -> None:
    with pytest.raises(AddressRefused, match=r"mixed\.example is in a private network"):
        addresses_of("mixed.example", 80, PrivateHosts(), resolver("1.1.1.1", "127.0.0.1"))


def test_a_public_name_gives_each_address_once() -> None:
    found = addresses_of("x.example", 80, PrivateHosts(), resolver("1.1.1.1", "1.0.0.1", "1.1.1.1"))
    assert found == ["1.1.1.1", "1.0.0.1"]
