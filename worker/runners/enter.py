"""Goes, as root, to where a sandbox starts, and becomes it: into its cgroup, to its user, with what it shall show.

Run as `python -I -S enter.py UID CGROUPS PLACES COMMAND...`: the user to become (-1: stay), how many cgroup folders
and places follow, those, then what to execute. Each place is shown as /mnt/0, /mnt/1, ... in a mount namespace of
this process's own, since the user that the command runs as may not be able to walk to it, when a folder above is
private to root.
"""

import ctypes
import os
import sys
from pathlib import Path

NEW_MOUNTS, BIND_ALL, PRIVATE_ALL = 0x20000, 0x1000 | 0x4000, 0x40000 | 0x4000
STAGE = "/mnt"
LIBC = ctypes.CDLL(None, use_errno=True)


def main(arguments: list[str]) -> None:
    """Do all of it; never returns."""
    uid, groups, places = (int(it) for it in arguments[:3])
    rest = arguments[3:]
    for folder in rest[:groups]:
        Path(folder, "cgroup.procs").write_text("0")
    if places:
        stage(rest[groups : groups + places])
    if uid >= 0:
        os.setgroups([])
        os.setresgid(uid, uid, uid)
        os.setresuid(uid, uid, uid)
    command = rest[groups + places :]
    os.execv(command[0], command)


def stage(sources: list[str]) -> None:
    """Show the sources below /mnt."""
    check(LIBC.unshare(NEW_MOUNTS))
    check(LIBC.mount(None, b"/", None, PRIVATE_ALL, None))
    opened = [os.open(source, os.O_PATH | os.O_CLOEXEC) for source in sources]
    check(LIBC.mount(b"stage", STAGE.encode(), b"tmpfs", 0, b"mode=0755"))
    for index, fd in enumerate(opened):
        target = Path(STAGE, str(index))
        if Path(f"/proc/self/fd/{fd}").is_dir():
            target.mkdir()
        else:
            target.touch()
        check(LIBC.mount(b"/proc/self/fd/%d" % fd, bytes(target), None, BIND_ALL, None))


def check(result: int) -> None:
    """Raise the C library's error when a call returned one."""
    if result:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


if __name__ == "__main__":
    main(sys.argv[1:])
