"""The seccomp profile of our containers: what no task gets, save what the agent needs to nest tasks in namespaces.

It names what is refused. A task loads the agent's own filter on top, which takes the rest away before its first line
runs. Only the machine's own kind of call is known to it, so that 32-bit calls, with numbers of their own, end the
process.
"""

import json
from typing import Any

from worker.runners.agent.seccomp import REFUSED

NESTING = {"unshare", "setns", "mount", "umount2", "pivot_root"}
ELSEWHERE = {
    "clock_settime64",
    "stime",
    "umount",
    "vm86",
    "vm86old",
}  #: calls of other machines than the agent knows
AF_VSOCK = 40  #: leads to the host of a virtual machine, whatever the network namespace
ODD_PERSONALITIES = (0x40000, 0x100000, 0x400000)  #: fixed addresses, a mapped page zero, data that is code
QUERY = 0x80000000  #: set in the value that only asks for the personality


def profile() -> str:
    """Return the profile as JSON, in the form that Docker takes inline."""
    refused: list[dict[str, Any]] = [_refuse(sorted({*REFUSED} - NESTING | ELSEWHERE))]
    refused.append(_refuse(["socket"], index=0, value=AF_VSOCK, op="SCMP_CMP_EQ"))
    refused += [
        _refuse(["personality"], index=0, value=QUERY | bit, valueTwo=bit, op="SCMP_CMP_MASKED_EQ")
        for bit in ODD_PERSONALITIES
    ]
    return json.dumps({"defaultAction": "SCMP_ACT_ALLOW", "syscalls": refused}, separators=(",", ":"))


def _refuse(names: list[str], **argument: int | str) -> dict[str, Any]:
    rule: dict[str, Any] = {"names": names, "action": "SCMP_ACT_ERRNO"}
    return {**rule, "args": [argument]} if argument else rule
