"""Unit tests of the filter, against the kernel's own tables and by running it."""

import errno
import re
import struct
from pathlib import Path

import pytest

from worker.runners.agent.seccomp import (
    ALLOW,
    ARCHITECTURES,
    CLONE,
    CLONE3,
    KILL,
    NAMESPACES,
    REFUSE,
    REFUSED,
    SOCKET,
    VSOCK,
    program,
)

TABLES = {
    "x86_64": Path("/usr/include/x86_64-linux-gnu/asm/unistd_64.h"),
    "aarch64": Path("/usr/include/asm-generic/unistd.h"),
}
LINE = struct.Struct("<HBBI")
NO, MISSING = REFUSE | errno.EPERM, REFUSE | errno.ENOSYS
NEWEST = 600


def numbers(machine: str) -> dict[str, int]:
    table = TABLES[machine]
    if not table.exists():
        pytest.skip("the kernel's headers are not installed")
    return {
        name: int(it)
        for name, it in re.findall(r"#define __NR(?:3264)?_(\w+)\s+(\d+)$", table.read_text(), re.MULTILINE)
    }


def outcome(machine: str, number: int, argument: int = 0, *, audit: int | None = None) -> int:
    """Run the filter as the kernel would."""
    audit = ARCHITECTURES[machine][0] if audit is None else audit
    data = struct.pack("<IIQ6Q", number, audit, 0, argument, 0, 0, 0, 0, 0)
    code = [*LINE.iter_unpack(program(machine))]
    at = held = 0
    while True:
        operation, yes, no, value = code[at]
        at += 1
        if operation == 0x06:
            return value
        if operation == 0x20:
            (held,) = struct.unpack_from("<I", data, value)
        else:
            met = {0x15: held == value, 0x35: held >= value, 0x45: held & value != 0}[operation]
            at += yes if met else no


@pytest.mark.parametrize("machine", TABLES)
def test_the_numbers_are_the_kernels(machine):
    known = numbers(machine)
    column = ARCHITECTURES[machine][1]
    named = {
        name: it[column]
        for name, it in {**REFUSED, "clone": CLONE, "clone3": CLONE3, "socket": SOCKET}.items()
    }
    assert {name: it for name, it in named.items() if name in known and known[name] != it} == {}
    newer = {"statmount", "listmount", "open_tree_attr", "set_mempolicy_home_node", "quotactl_fd"}
    assert {name for name, it in named.items() if it >= 0} - newer <= {*known}


@pytest.mark.parametrize("machine", ARCHITECTURES)
def test_exactly_what_is_named_is_refused(machine):
    column = ARCHITECTURES[machine][1]
    refused = {it[column] for it in REFUSED.values() if it[column] >= 0}
    assert {it for it in range(NEWEST) if outcome(machine, it) == NO} == refused
    assert {it for it in range(NEWEST) if outcome(machine, it) == MISSING} == {CLONE3[column]}
    assert {outcome(machine, it) for it in range(NEWEST)} == {ALLOW, NO, MISSING}


@pytest.mark.parametrize("machine", ARCHITECTURES)
@pytest.mark.parametrize("flag", [1 << it for it in range(32)])
def test_a_clone_may_do_all_but_make_namespaces(machine, flag):
    number = CLONE[ARCHITECTURES[machine][1]]
    assert outcome(machine, number, flag | 17) == (NO if flag & NAMESPACES else ALLOW)


@pytest.mark.parametrize("machine", ARCHITECTURES)
def test_a_socket_may_be_of_any_family_but_one(machine):
    number = SOCKET[ARCHITECTURES[machine][1]]
    assert [it for it in range(64) if outcome(machine, number, it) != ALLOW] == [VSOCK]


def test_calls_of_another_kind_end_the_process():
    assert outcome("x86_64", 1, audit=0x40000003) == KILL
    assert outcome("aarch64", 1, audit=0x40000028) == KILL
    assert {outcome("x86_64", 0x40000000 | it) for it in range(NEWEST)} == {NO}


def test_a_machine_without_known_numbers_has_no_filter():
    assert program("riscv64") == b""
