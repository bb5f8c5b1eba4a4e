"""Judges network addresses, so that a URL from a user never leads into the operator's own network.

What counts as public follows the IANA special-purpose address registries (RFC 6890). An IPv6 address that carries an
IPv4 one (mapped, or NAT64 of RFC 6052) is judged by the latter; 6to4 and Teredo, long retired, are refused.
"""

import socket
from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
)
from typing import Any

from gridloom.errors import AddressRefused, SetupFailed

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network
Lookup = Callable[..., list[Any]]  #: as socket.getaddrinfo

_NAT64 = IPv6Network("64:ff9b::/96")
_PUBLIC_V6 = IPv6Network("2000::/3")
SPECIAL = tuple(
    ip_network(text)
    for text in (
        "0.0.0.0/8",
        "10.0.0.0/8",
        "100.64.0.0/10",
        "127.0.0.0/8",
        "169.254.0.0/16",
        "172.16.0.0/12",
        "192.0.0.0/24",
        "192.0.2.0/24",
        "192.88.99.0/24",
        "192.168.0.0/16",
        "198.18.0.0/15",
        "198.51.100.0/24",
        "203.0.113.0/24",
        "224.0.0.0/3",
        "2001::/23",
        "2001:db8::/32",
        "2002::/16",
        "3fff::/20",
    )
)
"""The networks whose addresses are not globally reachable unicast; IPv6 has more outside 2000::/3."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PrivateHosts:
    """What the operator lets URLs reach though it is not public; nothing by default."""

    names: frozenset[str] = frozenset()
    networks: tuple[Network, ...] = ()

    @classmethod
    def parse(cls, text: str) -> "PrivateHosts":
        """Parse host names, addresses and CIDRs between commas or spaces.

        Raises:
            SetupFailed: when an entry is none of them.
        """
        names, networks = set(), []
        for entry in text.replace(",", " ").split():
            try:
                networks.append(ip_network(entry.strip("[]"), strict=False))
            except ValueError:
                if not entry.replace("-", "").replace(".", "").replace("_", "").isalnum():
                    raise SetupFailed(
                        f"allowed private host {entry!r} is neither a host name nor a CIDR"
                    ) from None
                names.add(_plain(entry))
        return cls(names=frozenset(names), networks=tuple(networks))

    def allow(self, host: str, address: Address) -> bool:
        """Whether a connection to `address`, found under the name `host`, may be made."""
        address = _carried(address)
        return (
            _plain(host) in self.names
            or is_public(address)
            or any(address in network for network in self.networks)
        )


def is_loopback(host: str) -> bool:
    """Tell whether a host name or address is this machine's own, which nobody else can reach."""
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost"


def check_bind(host: str, *, tls: bool, behind_proxy: bool) -> None:
    """Refuse to listen where others could read tokens off the network.

    Raises:
        SetupFailed: saying which variables to set.
    """
    if not (tls or behind_proxy or is_loopback(host)):
        raise SetupFailed(
            f"others can reach {host} (GRIDLOOM_HOST), and tokens would cross the network in the clear: set "
            "GRIDLOOM_TLS_CERT and GRIDLOOM_TLS_KEY, or GRIDLOOM_BEHIND_PROXY=true when a proxy in front ends TLS"
        )


def is_public(address: Address) -> bool:
    """Whether an address is globally reachable unicast."""
    address = _carried(address)
    if address.version == 6 and address not in _PUBLIC_V6:
        return False
    return not any(address in network for network in SPECIAL)


def literal_address(host: str) -> Address | None:
    """Return the address that a host name spells, in any form that the system's resolver reads as one, else None."""
    if _plain(host) == "localhost" or _plain(host).endswith(".localhost"):
        return IPv4Address("127.0.0.1")  # RFC 6761
    try:
        return ip_address(host.strip("[]"))
    except ValueError:
        pass
    try:
        return IPv4Address(socket.inet_aton(host))  # 127.1, 0x7f000001, 017700000001, 2130706433
    except (OSError, UnicodeError):
        return None


def addresses_of(host: str, port: int, allow: PrivateHosts, lookup: Lookup = socket.getaddrinfo) -> list[str]:
    """Resolve a name once and return its addresses; connect to these, never to the name again.

    Raises:
        AddressRefused: when any of them is neither public nor allowed, so that none is used.
        OSError: when the name can't be resolved.
    """
    found = dict.fromkeys(str(entry[4][0]) for entry in lookup(host, port, type=socket.SOCK_STREAM))
    for address in found:
        if not allow.allow(host, ip_address(address)):
            raise AddressRefused(
                f"{host} is in a private network; the operator can allow it with GRIDLOOM_ALLOW_PRIVATE_HOSTS"
            )
    return list(found)


def _plain(host: str) -> str:
    return host.lower().rstrip(".")


def _carried(address: Address) -> Address:
    if isinstance(address, IPv6Address):
        if address in _NAT64:
            return IPv4Address(int(address) & 0xFFFFFFFF)
        return address.ipv4_mapped or address
    return address
