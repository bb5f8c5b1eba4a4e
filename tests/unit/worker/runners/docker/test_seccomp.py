"""Unit tests of the seccomp profile."""

import json

from tests.fixtures.slots import Stage
from worker.runners.agent.seccomp import REFUSED
from worker.runners.docker.seccomp import NESTING, profile


def test_all_that_a_task_may_not_is_refused_but_what_nesting_needs():
    rules = json.loads(profile())["syscalls"]
    refused = {name for rule in rules if "args" not in rule for name in rule["names"]}
    assert refused >= {*REFUSED} - NESTING
    assert not refused & NESTING
    assert {rule["action"] for rule in rules} == {"SCMP_ACT_ERRNO"}


def test_a_task_can_neither_mount_nor_make_namespaces_nor_reach_a_virtual_machines_host(
    open_slot, python_image
):
    said = (
        Stage(open_slot(python_image))
        .say(
            """
        import ctypes, os, socket
        libc = ctypes.CDLL(None, use_errno=True)

        def told(result):
            return "done" if result == 0 else os.strerror(ctypes.get_errno())

        print(told(libc.unshare(0x10000000)))
        print(told(libc.mount(b"none", b"/tmp", b"tmpfs", 0, None)))
        print(told(libc.personality(ctypes.c_ulong(0x40000))))
        print(told(min(0, libc.personality(ctypes.c_ulong(0xFFFFFFFF)))))
        print(told(libc.keyctl(0, -3, 0) if hasattr(libc, "keyctl") else libc.syscall(250, 0, -3, 0)))
        try:
            socket.socket(40, socket.SOCK_STREAM)
        except OSError as error:
            print(error.strerror)
        """
        )
        .splitlines()
    )
    assert said == ["Operation not permitted"] * 3 + ["done"] + ["Operation not permitted"] * 2
