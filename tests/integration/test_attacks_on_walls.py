"""Tasks that reach for what lies around them: the system, the agent, their neighbours, what was there before."""

import platform
import socket
import threading
import time

import pytest


def test_nothing_can_be_written_but_in_a_tasks_own_places(target, stage):
    component = target.grounds.components / "owner" / "1"
    component.mkdir(exist_ok=True)
    (component / "main.py").write_text("")
    (target.grounds.shared_cache / "weights").write_text("w")
    code = f"""
        for folder in ("/", "/usr", "/usr/bin", "/etc", "/bin", "/lib", "/run", "/dev", "/sys", "/proc", "/proc/sys", "/mnt",
                       "/.gridloom/agent", "/run/gridloom/agent", sys.prefix, os.__file__, {str(component)!r},
                       {str(component.parent)!r}, {str(target.grounds.shared_cache)!r}, {str(target.grounds.slots)!r},
                       {str(stage.slot.folder)!r}, "/sys/fs/cgroup", "/sys/fs/cgroup/memory", "/proc/self/fdinfo"):
            tries(folder, lambda: write(folder + "/x"))
        for file in ("/proc/sysrq-trigger", "/proc/sys/kernel/hostname", "/proc/sys/kernel/core_pattern",
                     "/proc/sys/vm/drop_caches", "/proc/sys/kernel/modprobe", "/proc/sys/net/ipv4/ip_forward",
                     "/proc/sys/fs/mqueue/msg_max", "/proc/sys/user/max_user_namespaces", "/proc/irq/default_smp_affinity",
                     "/proc/self/uid_map", "/proc/self/setgroups", "/sys/kernel/uevent_helper", "/sys/power/state",
                     "/dev/mem", "/dev/kmsg", "/dev/sda", "/dev/vda", "/etc/passwd", {str(component / "main.py")!r},
                     {str(target.grounds.shared_cache / "weights")!r}, sys.executable, json.__file__, os.__file__):
            tries(file, lambda: write(file))
            tries(file, lambda: os.unlink(file))
            tries(file, lambda: os.rename(file, "stolen"))
            tries(file, lambda: os.chmod(file, 0o777))
    """
    here = f"{target.grounds.slots} None\n"  # below a task's own /tmp, where the tests' folders lie
    assert stage.gains(code).replace(here, "") == ""
    assert {it.name for it in target.grounds.slots.iterdir()} >= {stage.slot.folder.name}
    assert not (target.grounds.slots / "x").exists()


def test_the_only_folders_that_can_be_written_are_a_tasks_own(target, stage):
    own = {str(stage.folder), str(target.grounds.user_caches / "owner"), "/tmp", "/dev/shm"}
    code = """
        for top, folders, _ in os.walk("/"):
            if top.count("/") > 3: folders.clear()
            folders[:] = [it for it in folders if not os.path.islink(top + "/" + it) and (top, it) != ("/", "proc")]
            try: os.mkdir(top + "/made by a task")
            except OSError: continue
            print(top)
            folders.clear()
    """
    assert {*stage.gains(code).splitlines()} <= own


CALLS = {
    "mount": "call('mount', b'x', b'/tmp', b'tmpfs', ctypes.c_ulong(0), None)",
    "bind": "call('mount', b'/', b'/tmp', None, ctypes.c_ulong(0x1000), None)",
    "remount": "call('mount', None, b'/', None, ctypes.c_ulong(0x20 | 0x1000), None)",
    "umount": "[call('umount2', it, 2) for it in (b'/proc', b'/tmp', b'/proc/sys', b'/dev/shm')]",
    "chroot": "os.chroot('/tmp')",
    "pivot_root": "system({'x86_64': 155, 'aarch64': 41}[os.uname().machine], b'/tmp', b'/tmp')",
    "new namespaces": "[call('unshare', it) for it in (0x10000000,)]",
    "new mounts": "call('unshare', 0x20000)",
    "new network": "call('unshare', 0x40000000)",
    "new time": "call('unshare', 0x80)",
    "a clone with namespaces": "system({'x86_64': 56, 'aarch64': 220}[os.uname().machine], 0x10000000 | 17, 0, 0, 0, 0)",
    "clone3": "system(435, (ctypes.c_uint64 * 11)(0x10000000, 0, 0, 0, 17), 88)",
    "setns": "[call('setns', os.open('/proc/self/ns/' + it, 0), 0) for it in ('mnt', 'user', 'net')]",
    "setns to the first": "call('setns', os.open('/proc/1/ns/mnt', 0), 0)",
    "fsopen": "system(430, b'tmpfs', 0)",
    "open_tree": "system(428, -100, b'/', 1)",
    "mknod": "os.mknod('/tmp/disk', 0o60666, os.makedev(8, 0))",
    "a character device": "os.mknod('null', 0o20666, os.makedev(1, 3))",
    "setuid": "os.setuid(0)",
    "setgroups": "os.setgroups([0])",
    "chown": "os.chown('.', 0, 0)",
    "capset": "call('capset', (ctypes.c_uint32 * 2)(0x20080522, 0), (ctypes.c_uint32 * 6)(1 << 21, 1 << 21, 1 << 21))",
    "ambient": "call('prctl', 47, 2, 21, 0, 0)",
    "ptrace of the first": "call('ptrace', 16, 1, None, None)",
    "reading the first's memory": "call('process_vm_readv', 1, b'', 0, b'', 0, 0)",
    "keyctl": "system({'x86_64': 250, 'aarch64': 219}[os.uname().machine], 0, -3, 0)",
    "bpf": "system({'x86_64': 321, 'aarch64': 280}[os.uname().machine], 0, 0, 0)",
    "perf": "system({'x86_64': 298, 'aarch64': 241}[os.uname().machine], bytes(128), 0, -1, -1, 0)",
    "userfaultfd": "system({'x86_64': 323, 'aarch64': 282}[os.uname().machine], 0)",
    "io_uring": "system(425, 1, bytes(120))",
    "open by handle": "system({'x86_64': 304, 'aarch64': 265}[os.uname().machine], 3, bytes(16), 0)",
    "hostname": "socket.sethostname('x')",
    "reboot": "call('reboot', 0x1234567)",
    "swapoff": "call('swapoff', b'/swap')",
    "clock": "time.clock_settime(0, 0)",
    "packets": "socket.socket(socket.AF_PACKET, socket.SOCK_RAW)",
    "raw sockets": "socket.socket(socket.AF_INET, socket.SOCK_RAW, 1)",
    "the host of a virtual machine": "socket.socket(socket.AF_VSOCK, socket.SOCK_STREAM)",
    "priority": "os.setpriority(os.PRIO_PROCESS, 0, -5)",
    "real time": "os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))",
    "locked memory": "call('mlockall', 3) or C.mlock(ctypes.create_string_buffer(64 << 20), 64 << 20)",
    "more descriptors": "__import__('resource').setrlimit(7, (1 << 24, 1 << 24))",
    "less likely to be killed": "write('/proc/self/oom_score_adj', '-1')",
    "a terminal's input": "__import__('fcntl').ioctl(0, 0x5412, b'x')",
    "a link to what is another's": "os.link('/etc/passwd', 'mine')",
    "root's files": "[open(it) for it in ('/etc/shadow', '/root/.profile', '/proc/kcore', '/proc/kmsg', '/dev/mem')]",
}


def test_what_only_root_may_do_is_refused(stage):
    code = "\n".join(f"tries({what!r}, lambda: {call})" for what, call in CALLS.items())
    assert stage.gains(code) == ""


@pytest.mark.skipif(platform.machine() != "x86_64", reason="other machines have no second kind of calls")
def test_calls_by_another_machines_numbers_end_the_task(stage):
    ended = stage.attack("""
        import mmap
        page = mmap.mmap(-1, 4096, prot=7)
        page.write(bytes.fromhex("b8 15 00 00 00 cd 80 c3"))  # mov eax, 21 (mount); int 0x80; ret
        address = ctypes.addressof(ctypes.c_char.from_buffer(page))
        print(ctypes.CFUNCTYPE(ctypes.c_int)(address)())
    """)
    assert ended.signal in {11, 31}
    ended = stage.attack("tries('x32', lambda: system(0x40000000 + 165, 0, 0, 0, 0, 0))")
    assert (ended.succeeded or ended.signal == 31) and not stage.heard.stdout  # noqa: PT018 - either is an end


def test_the_first_process_is_out_of_reach(stage):
    code = """
        for name in ("environ", "mem", "maps", "auxv", "io", "stack", "pagemap", "syscall", "personality"):
            tries(name, lambda: open("/proc/1/" + name, "rb").read(100))
        for name in ("root", "cwd", "exe", "ns/mnt", "ns/user", "ns/net", *(f"fd/{it}" for it in range(16))):
            tries(name, lambda: os.readlink("/proc/1/" + name))
            tries(name, lambda: os.open("/proc/1/" + name, os.O_PATH))
        tries("map_files", lambda: os.listdir("/proc/1/map_files"))
        tries("write", lambda: open("/proc/1/mem", "r+b"))
        tries("pidfd", lambda: system(438, os.pidfd_open(1), 0, 0))
        print(sorted(int(it) for it in os.listdir("/proc") if it.isdigit()) == [1, os.getpid()])
    """
    assert stage.gains(code) == "True\n"


def test_a_sibling_is_traced_by_nobody(stage):
    code = """
        child = os.fork()
        if child == 0: time.sleep(60)
        tries("ptrace", lambda: call("ptrace", 16, child, None, None))
        local, remote = ctypes.create_string_buffer(8), ctypes.create_string_buffer(8)
        vector = (ctypes.c_void_p * 2)(ctypes.addressof(local), 8)
        tries("read", lambda: call("process_vm_readv", child, vector, 1, vector, 1, 0))
    """
    assert stage.gains(code) == ""


LEAVE = """
write("/tmp/secret")
write("/dev/shm/secret")
segment = C.shmget(4711, 4096, 0o1666)
C.shmat.restype = ctypes.c_void_p
ctypes.memmove(C.shmat(segment, None, 0), b"secret", 6)
queue, semaphores = C.msgget(4711, 0o1666), C.semget(4711, 1, 0o1666)
assert min(segment, queue, semaphores) >= 0
name = b"/secret"
tries("", lambda: call("mq_open", name, os.O_CREAT | os.O_RDWR, 0o666, None))
held = socket.socket(socket.AF_UNIX)
held.bind("\\0secret")
held.listen()
port = socket.create_server(("127.0.0.1", 4711))
os.environ["SECRET"] = "secret"
"""


def looks(*folders: str) -> str:
    return f"""
        for place in ("/tmp", "/dev/shm", "/dev/mqueue"):
            if os.path.isdir(place) and "secret" in os.listdir(place): print(place)
        tries("shm", lambda: call("shmget", 4711, 0, 0))
        tries("msg", lambda: call("msgget", 4711, 0))
        tries("sem", lambda: call("semget", 4711, 0, 0))
        tries("mq", lambda: call("mq_open", b"/secret", os.O_RDWR))
        tries("abstract", lambda: socket.socket(socket.AF_UNIX).connect("\\0secret"))
        tries("port", lambda: socket.create_connection(("127.0.0.1", 4711), 1))
        for table in ("shm", "msg", "sem"):
            if len(open("/proc/sysvipc/" + table).readlines()) > 1: print(table)
        if "secret" in open("/proc/net/unix").read() or "SECRET" in os.environ: print("seen")
        for folder in {folders!r}:
            tries(folder, lambda: os.listdir(folder))
            tries(folder, lambda: write(folder + "/x"))
            tries(folder, lambda: os.stat(folder))
            tries(folder, lambda: open(folder + "/secret"))
    """


def test_a_task_that_runs_is_out_of_its_neighbours_sight(target, open_stage):
    alike, foreign, busy = open_stage(), open_stage(owner="other"), open_stage()
    ends = []
    wait = "\nwrite('secret')\nwrite('ready')\nwhile not os.path.exists('done'): time.sleep(0.01)\n"
    thread = threading.Thread(target=lambda: ends.append(busy.attack(LEAVE + wait, SECRET="secret")))
    thread.start()
    try:
        while thread.is_alive() and not (busy.folder / "ready").exists():
            time.sleep(0.01)
        cache = target.grounds.user_caches
        assert alike.gains(looks(str(busy.slot.folder), str(busy.folder), str(cache / "other"))) == ""
        assert foreign.gains(looks(str(busy.slot.folder), str(busy.folder), str(cache / "owner"))) == ""
    finally:
        (busy.folder / "done").touch()
        thread.join()
    assert ends[0].succeeded, busy.heard.stderr


def test_the_next_task_finds_nothing_of_the_one_before(target, stage):
    daemon = "\nif os.fork() == 0:\n os.setsid()\n time.sleep(60)\n os._exit(0)\n"
    ended = stage.attack(LEAVE + daemon, SECRET="secret")
    assert ended.succeeded, stage.heard.stderr
    assert target.stage().gains(looks()) == ""


def test_there_is_no_way_out_to_any_network(stage):
    with socket.create_server(("0.0.0.0", 0)) as server:
        port = server.getsockname()[1]
        code = f"""
            places = [("127.0.0.1", {port}), ("169.254.169.254", 80), ("1.1.1.1", 53), ("172.17.0.1", {port}), ("10.0.0.1", 22)]
            for place in places:
                tries(place, lambda: socket.create_connection(place, 0.3))
            for place in places[1:]:
                tries(place, lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b"x", place))
            tries("six", lambda: socket.create_connection(("fd00:ec2::254", 80), 0.3))
            for path in ("/var/run/docker.sock", "/run/docker.sock", "/run/containerd/containerd.sock", "/run/dbus/system_bus_socket"):
                tries(path, lambda: os.stat(path))
            print([name for _, name in socket.if_nameindex()])
        """
        assert stage.gains(code) == "['lo']\n"


def test_a_task_does_not_see_the_agents_socket_or_descriptors(target, stage):
    code = f"""
        print(sorted(os.listdir("/proc/self/fd"))[:-1] == ["0", "1", "2"])
        for folder in ({str(stage.slot.folder)!r}, "/run", "/tmp", "/dev", "/run/gridloom", "/.gridloom", "/.gridloom/agent"):
            for name in os.listdir(folder) if os.path.isdir(folder) else ():
                tries(folder + "/" + name, lambda: socket.socket(socket.AF_UNIX).connect(folder + "/" + name))
        tries("impostor", lambda: socket.socket(socket.AF_UNIX).bind({str(stage.slot.folder)!r} + "/agent.sock"))
    """
    assert stage.gains(code) == "True\n"
