"""The system calls that no task gets: those that Docker's own profile withholds from containers, namespaces included.

The filter is classic BPF over `struct seccomp_data` (number, architecture, instruction pointer, arguments).
"""

from __future__ import annotations

import errno
import os
import struct

LOAD, JUMP_EQUAL, JUMP_ABOVE, JUMP_ANY_BIT, RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
ALLOW, KILL, REFUSE = 0x7FFF0000, 0x80000000, 0x00050000
NAMESPACES = 0x7E020000  # the CLONE_NEW* flags of clone
X32 = 0x40000000

#: machine: architecture by audit's number, then numbers by name; -1 where the machine has no such call.
ARCHITECTURES = {"x86_64": (0xC000003E, 0), "aarch64": (0xC00000B7, 1)}
REFUSED = {
    "_sysctl": (156, -1),
    "acct": (163, 89),
    "add_key": (248, 217),
    "bpf": (321, 280),
    "clock_adjtime": (305, 266),
    "clock_settime": (227, 112),
    "create_module": (174, -1),
    "delete_module": (176, 106),
    "fanotify_init": (300, 262),
    "finit_module": (313, 273),
    "fsconfig": (431, 431),
    "fsmount": (432, 432),
    "fsopen": (430, 430),
    "fspick": (433, 433),
    "get_kernel_syms": (177, -1),
    "get_mempolicy": (239, 236),
    "init_module": (175, 105),
    "io_uring_enter": (426, 426),
    "io_uring_register": (427, 427),
    "io_uring_setup": (425, 425),
    "ioperm": (173, -1),
    "iopl": (172, -1),
    "kcmp": (312, 272),
    "kexec_file_load": (320, 294),
    "kexec_load": (246, 104),
    "keyctl": (250, 219),
    "listmount": (458, 458),
    "lookup_dcookie": (212, 18),
    "mbind": (237, 235),
    "migrate_pages": (256, 238),
    "mount": (165, 40),
    "mount_setattr": (442, 442),
    "move_mount": (429, 429),
    "move_pages": (279, 239),
    "name_to_handle_at": (303, 264),
    "nfsservctl": (180, 42),
    "open_by_handle_at": (304, 265),
    "open_tree": (428, 428),
    "open_tree_attr": (467, 467),
    "perf_event_open": (298, 241),
    "pidfd_getfd": (438, 438),
    "pivot_root": (155, 41),
    "process_madvise": (440, 440),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    "ptrace": (101, 117),
    "query_module": (178, -1),
    "quotactl": (179, 60),
    "quotactl_fd": (443, 443),
    "reboot": (169, 142),
    "request_key": (249, 218),
    "set_mempolicy": (238, 237),
    "set_mempolicy_home_node": (450, 450),
    "setdomainname": (171, 162),
    "sethostname": (170, 161),
    "setns": (308, 268),
    "settimeofday": (164, 170),
    "statmount": (457, 457),
    "swapoff": (168, 225),
    "swapon": (167, 224),
    "sysfs": (139, -1),
    "syslog": (103, 116),
    "umount2": (166, 39),
    "unshare": (272, 97),
    "uselib": (134, -1),
    "userfaultfd": (323, 282),
    "ustat": (136, -1),
    "vhangup": (153, 58),
}
CLONE, CLONE3, SOCKET = (56, 220), (435, 435), (41, 198)
VSOCK = (
    40  # the family of sockets that leads to the host of a virtual machine, whatever the network namespace
)


def program(machine: str = "") -> bytes:
    """Return the filter for a machine, else for this one, as bytes, or b"" where its numbers are not known."""
    machine = machine or os.uname().machine
    if machine not in ARCHITECTURES:
        return b""
    audit, column = ARCHITECTURES[machine]
    refused = sorted(numbers[column] for numbers in REFUSED.values() if numbers[column] >= 0)
    refuse = REFUSE | errno.EPERM
    code = [
        (LOAD, 0, 0, 4),
        (JUMP_EQUAL, 1, 0, audit),
        (RETURN, 0, 0, KILL),
        (LOAD, 0, 0, 0),
        (JUMP_ABOVE, 0, 1, X32),
        (RETURN, 0, 0, refuse),
        (JUMP_EQUAL, 0, 1, CLONE3[column]),
        (
            RETURN,
            0,
            0,
            REFUSE | errno.ENOSYS,
        ),  # its flags lie in memory, out of a filter's sight; libraries fall back
        (JUMP_EQUAL, 0, 4, CLONE[column]),
        (LOAD, 0, 0, 16),
        (JUMP_ANY_BIT, 0, 1, NAMESPACES),
        (RETURN, 0, 0, refuse),
        (RETURN, 0, 0, ALLOW),
        (JUMP_EQUAL, 0, 4, SOCKET[column]),
        (LOAD, 0, 0, 16),
        (JUMP_EQUAL, 0, 1, VSOCK),
        (RETURN, 0, 0, refuse),
        (RETURN, 0, 0, ALLOW),
    ]
    left = len(refused)
    for number in refused:
        code.append((JUMP_EQUAL, left, 0, number))
        left -= 1
    code += [(RETURN, 0, 0, ALLOW), (RETURN, 0, 0, refuse)]
    return b"".join(struct.pack("<HBBI", *line) for line in code)
