"""What the agent takes from tasks, in a sandbox with namespaces for each of them, and in one where it can't make any."""

import os
import platform

import pytest

from tests.fixtures.slots import KEY, Stage, make_grounds
from worker.runners.agent_link import AgentOptions, arguments
from worker.runners.bubblewrap import INSIDE_AGENT, BubblewrapRunner
from worker.runners.cgroups import Cgroups
from worker.runners.protocol import Limits


class Plain(BubblewrapRunner):
    """Stands for machines that allow no namespaces within a sandbox."""

    def _agent(self, key, fd):
        options = AgentOptions(
            scratch_mib=64, nested=False, components=str(self._grounds.components / key.owner)
        )
        return arguments(INSIDE_AGENT, f"fd:{fd}", options)


@pytest.fixture(scope="module", params=[BubblewrapRunner, Plain], ids=["nested", "plain"])
def runner(request, tmp_path_factory):
    it = request.param(make_grounds(tmp_path_factory.mktemp("worker")), cgroups=Cgroups.detect())
    reason = it.probe()
    if reason is not None:
        if os.environ.get("CI"):
            pytest.fail(f"bubblewrap does not work: {reason}")
        pytest.skip(f"bubblewrap does not work: {reason}")
    return it


@pytest.fixture(scope="module")
def slot(runner):
    it = runner.open_slot(KEY)
    yield it
    it.close()


@pytest.fixture
def stage(slot, request):
    return Stage(slot, f"attempt-{request.node.name}".replace("/", "-")[:80])


NUMBERS = {"x86_64": 0, "aarch64": 1}
REFUSED = {
    "unshare": ((272, 97), "0x10000000"),
    "unshare of nothing": ((272, 97), "0"),
    "setns": ((308, 268), "0, 0"),
    "mount": ((165, 40), "b'x', b'/tmp', b'tmpfs', 0, None"),
    "umount2": ((166, 39), "b'/tmp', 0"),
    "pivot_root": ((155, 41), "b'/', b'/'"),
    "open_tree": ((428, 428), "-100, b'/', 1"),
    "fsopen": ((430, 430), "b'tmpfs', 0"),
    "ptrace": ((101, 117), "0, 0, 0, 0"),
    "process_vm_readv": ((310, 270), "1, 0, 0, 0, 0, 0"),
    "pidfd_getfd": ((438, 438), "0, 0, 0"),
    "keyctl": ((250, 219), "0, 0"),
    "add_key": ((248, 217), "b'user', b'x', b'x', 1, -1"),
    "bpf": ((321, 280), "0, 0, 0"),
    "perf_event_open": ((298, 241), "0, 0, 0, 0, 0"),
    "userfaultfd": ((323, 282), "0"),
    "io_uring_setup": ((425, 425), "1, 0"),
    "init_module": ((175, 105), "0, 0, 0"),
    "clone with a user namespace": ((56, 220), "0x10000011, 0, 0, 0, 0"),
    "clone with a pid namespace": ((56, 220), "0x20000011, 0, 0, 0, 0"),
    "socket to the machine below": ((41, 198), "40, 1, 0"),
}


@pytest.mark.skipif(platform.machine() not in NUMBERS, reason="no numbers known")
def test_no_task_gets_what_leads_out(stage):
    calls = {
        name: (numbers[NUMBERS[platform.machine()]], given) for name, (numbers, given) in REFUSED.items()
    }
    lines = [f"show({name!r}, {number}, {given})" for name, (number, given) in calls.items()]
    code = """
import ctypes
call = ctypes.CDLL(None, use_errno=True).syscall
def show(name, number, *given):
    given = [ctypes.c_long(it) if isinstance(it, int) else it for it in given]
    print(name, call(ctypes.c_long(number), *given), ctypes.get_errno(), sep=":")
"""
    (stage.folder / "calls.py").write_text("")
    seen = stage.say(code + "\n".join(lines))
    assert seen.splitlines() == [f"{name}:-1:1" for name in REFUSED]


def test_clone3_is_as_if_the_kernel_had_none(stage):
    code = "import ctypes; it = ctypes.CDLL(None, use_errno=True); print(it.syscall(435, 0, 0), ctypes.get_errno())"
    assert stage.say(code) == "-1 38\n"


def test_programs_are_confined_like_python_scripts(stage):
    ended = stage.run(
        "unshare -U true 2>&1; unshare -m true 2>&1; grep Seccomp: /proc/self/status; grep CapBnd /proc/self/status"
    )
    assert ended.succeeded
    said = stage.heard.stdout.decode()
    assert said.count("Operation not permitted") == 2
    assert "Seccomp:\t2" in said


def test_what_tasks_do_rightly_works(stage):
    code = """
        import concurrent.futures as futures, multiprocessing, os, subprocess, sys, tempfile, threading
        thread = threading.Thread(target=print, args=("thread",)); thread.start(); thread.join()
        sys.stdout.flush()
        pid = os.fork()
        if pid == 0: os._exit(3)
        print(os.waitpid(pid, 0)[1] >> 8)
        print(subprocess.run([sys.executable, "-c", "print(6 * 7)"], capture_output=True, text=True, check=True).stdout)
        with multiprocessing.get_context("fork").Pool(2) as pool: print(pool.map(abs, [-1, -2]))
        with futures.ThreadPoolExecutor() as pool: print(sum(pool.map(abs, range(100))))
        memory = multiprocessing.RawArray("i", 4)
        with tempfile.TemporaryFile() as file: file.write(b"x")
        try:
            import numpy
        except ImportError:
            sys.exit()
        a = numpy.ones((200, 200)); assert (a @ a).sum() == 8e6
    """
    assert stage.say(code) == "thread\n3\n42\n\n[1, 2]\n4950\n"


def test_killing_all_that_can_be_seen_hurts_the_task_alone(stage):
    code = """
        import os, signal
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGCHLD, signal.SIGSTOP, signal.SIGKILL):
            for pid in [-1, 1]:
                try: os.kill(pid, number)
                except OSError: pass
        print("alive")
    """
    for _ in range(3):
        assert stage.say(code) == "alive\n"
        assert stage.run("kill -9 -1; kill -9 1; exit 0", limits=Limits(timeout_s=5)).exit_code in {0, None}
        assert stage.run("exit 0").succeeded


def test_no_task_looks_into_the_agent(stage):
    code = """
        import os
        for pid in {1, os.getppid()} - {0}:
            for name in ("mem", "environ", "fd/0", "fd/3", "root/", "cwd/", "maps"):
                try:
                    path = f"/proc/{pid}/{name}"
                    os.listdir(path) if name.endswith("/") else open(path, "rb").read(1)
                    print("read", path)
                except OSError: pass
            try: open(f"/proc/{pid}/mem", "wb"); print("write", pid)
            except OSError: pass
    """
    assert stage.say(code) == ""


def test_a_task_sees_its_own_processes_as_ever(stage):
    code = """
        import os
        print(len(os.listdir("/proc/self/fd")), open("/proc/self/environ").read() != "", os.stat("/proc/self").st_uid)
        open("/proc/self/mem", "rb")
    """
    assert stage.say(code) == "4 True 65534\n"


LEAVE = """
    import ctypes, os, subprocess, sys
    os.makedirs("/tmp/a/" + "b/" * 50); open("/tmp/a/b/file", "w").write("x")
    for n in range(300):
        os.mkdir("deep" if n else "/tmp/deep"); os.chdir("deep" if n else "/tmp/deep")
    os.symlink("/", "/tmp/link"); os.symlink("nowhere", "/tmp/a/link"); os.mkfifo("/tmp/fifo")
    os.makedirs("/tmp/locked/in"); os.chmod("/tmp/locked/in", 0); os.chmod("/tmp/locked", 0)
    os.mkdir(b"/tmp/\\xff\\n"); open("/tmp/.0", "w"); open("/tmp/ ", "w")
    open("/dev/shm/left", "w").write("x")
    libc = ctypes.CDLL(None)
    print(libc.shmget(1234, 4096, 0o1600) >= 0, libc.semget(1234, 1, 0o1600) >= 0, libc.msgget(1234, 0o1600) >= 0)
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            import time; time.sleep(60)
        os._exit(0)
"""
LOOK = """
    import os
    print(sorted(os.listdir("/tmp")), os.listdir("/dev/shm"), [it for it in os.listdir("/proc") if it.isdigit()].__len__())
    print([len(open(f"/proc/sysvipc/{it}").readlines()) for it in ("shm", "sem", "msg")])
"""


def test_nothing_of_a_task_is_there_for_the_next(stage):
    before = stage.say(LOOK)
    assert before.endswith(" 2\n[1, 1, 1]\n")
    for _ in range(2):
        assert stage.say(LEAVE) == "True True True\n"
        assert stage.say(LOOK) == before


def test_the_filter_is_loaded_before_the_first_line(stage):
    assert (
        stage.say("print([it for it in open('/proc/self/status') if it.startswith('Seccomp:')])")
        == "['Seccomp:\\t2\\n']\n"
    )
