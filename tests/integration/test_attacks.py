"""Tasks that take more than they are given: they are bounded, reported, and the next task is unharmed."""

import threading
import time

import pytest

from gridloom.errors import RunnerFailed
from gridloom.states import EndReason
from tests.fixtures.attacked import MEMORY_MIB
from worker.output import CAP_BYTES, OutputCapture
from worker.runners.protocol import Limits

BOMBS = {
    "of forks": """
        while True:
            try:
                if os.fork() == 0: time.sleep(60)
            except OSError: time.sleep(0.01)
    """,
    "of sessions": """
        while True:
            try:
                if os.fork() == 0: os.setsid(); signal.pthread_sigmask(signal.SIG_BLOCK, range(1, 65)); time.sleep(60)
            except OSError: time.sleep(0.01)
    """,
    "of threads": """
        while True:
            try: threading.Thread(target=time.sleep, args=(60,), daemon=True).start()
            except RuntimeError: time.sleep(0.01)
    """,
}


def soon(seconds: float = 0.4) -> Limits:
    return Limits(timeout_s=seconds, memory_mib=MEMORY_MIB)


@pytest.mark.parametrize("bomb", BOMBS)
def test_a_bomb_ends_at_its_deadline_and_neighbours_go_on(target, open_stage, bomb):
    stage, neighbour = open_stage(memory_mib=512), open_stage()
    fresh = target.witness(stage.slot)
    ends = []
    limits = Limits(timeout_s=0.8, memory_mib=512)
    thread = threading.Thread(target=lambda: ends.append(stage.attack(BOMBS[bomb], limits=limits)))
    thread.start()
    time.sleep(0.4)
    began = time.monotonic()
    assert neighbour.say("print('well')") == "well\n"
    took_s = time.monotonic() - began
    thread.join()
    assert took_s < 3
    assert ends[0].reason in {EndReason.TIMEOUT, EndReason.OUT_OF_MEMORY}, ends[0].message
    assert (ends[0].ended_at - ends[0].started_at).total_seconds() < 5
    assert target.witness(stage.slot) == fresh


def test_a_bomb_of_the_shell_ends_too(stage):
    ended = stage.run("b() { b | b & }; b; sleep 9", limits=soon())
    assert ended.reason in {EndReason.TIMEOUT, EndReason.OUT_OF_MEMORY, EndReason.EXIT_NONZERO}
    assert (ended.ended_at - ended.started_at).total_seconds() < 5


HOGS = {
    "itself": "b = bytearray(1 << 30)",
    "in a child": """
        child = os.fork()
        if child == 0:
            b = bytearray(1 << 30)
        os._exit(os.waitpid(child, 0)[1] and 1)
    """,
    "in shared memory": """
        import mmap
        m = mmap.mmap(-1, 1 << 30)
        for place in range(0, 1 << 30, 4096): m[place] = 1
    """,
    "in a file without name": """
        fd = os.memfd_create("x")
        while True: os.write(fd, bytes(1 << 20))
    """,
}


@pytest.mark.parametrize("where", HOGS)
def test_a_hog_of_memory_is_told_from_other_kills(stage, where):
    ended = stage.attack(HOGS[where])
    assert ended.reason is EndReason.OUT_OF_MEMORY, ended.message
    assert f"{MEMORY_MIB} MiB" in ended.message


def test_hogs_that_are_smaller_than_the_agent_may_cost_the_slot_and_no_more(target, stage):
    code = """
        while True:
            if os.fork() == 0:
                tries("", lambda: write("/proc/self/oom_score_adj", "0"))
                b = bytearray(b"x" * (6 << 20))
                time.sleep(60)
    """
    try:
        assert stage.attack(code, limits=soon(1)).reason in {EndReason.OUT_OF_MEMORY, EndReason.TIMEOUT}
    except RunnerFailed:
        target.replace()


@pytest.mark.parametrize("place", ["/tmp", "/dev/shm"])
def test_private_scratch_is_bounded_and_gone_with_its_task(stage, place):
    code = f"""
        try:
            with open("{place}/big", "wb", 0) as file:
                while True: file.write(bytes(1 << 20))
        except OSError as error:
            print(error.errno == errno.ENOSPC, os.stat("{place}/big").st_size >> 20)
    """
    assert stage.gains(code) == f"True {MEMORY_MIB // 2}\n"


def test_all_scratch_at_once_is_want_of_memory(target, stage):
    code = """
        for place in ("/tmp", "/dev/shm"):
            for number in range(200000):
                try:
                    with open(f"{place}/{number}", "wb", 0) as file: file.write(bytes(1 << 20))
                except OSError: break
        b = bytearray(1 << 30)
    """
    try:
        assert stage.attack(code).reason is EndReason.OUT_OF_MEMORY
    except RunnerFailed:  # the kernel may choose the agent, when what fills memory belongs to no process
        target.replace()


def test_a_file_grows_to_its_limit(stage):
    limits = Limits(timeout_s=20, memory_mib=MEMORY_MIB, file_mib=1)
    assert (
        stage.gains(
            """
        fd = os.open("big", os.O_CREAT | os.O_WRONLY)
        tries("write", lambda: [os.write(fd, bytes(1 << 20)) for _ in range(2)])
        tries("sparse", lambda: os.ftruncate(fd, 1 << 40))
        tries("allocate", lambda: os.posix_fallocate(fd, 0, 2 << 20))
        print(os.fstat(fd).st_size)
    """,
            limits=limits,
        )
        == f"{1 << 20}\n"
    )
    ended = stage.run("head -c 2000000 /dev/zero > large", limits=limits)
    assert ended.reason is EndReason.EXIT_NONZERO
    assert (stage.folder / "large").stat().st_size <= 1 << 20


def test_descriptors_are_bounded_and_freed(stage):
    said = stage.gains("""
        held = []
        try:
            while True: held += os.pipe()
        except OSError as error:
            print(error.errno in (errno.EMFILE, errno.ENFILE), len(held) <= 1 << 20)
            os._exit(0)
    """)
    assert said in {"True True\n", ""}


def test_a_flood_of_output_costs_bounded_memory(stage):
    capture = OutputCapture()
    code = """
        import os
        line, blob = b"x" * 99 + b"\\n", os.urandom(1 << 16)
        os.write(2, b"\\n" * (1 << 16))
        while True:
            os.write(1, line * 1000); os.write(2, blob)
    """
    ended = stage.slot.run(stage.execution(code, name="main.py", limits=soon()), capture)
    assert ended.reason is EndReason.TIMEOUT
    assert capture._head_cost + capture._tail_cost < 2 * CAP_BYTES
    capture.finish()
    lines = capture.drain()
    assert sum(len(it.text) for it in lines) <= 2 * CAP_BYTES
    assert any("left out" in it.text for it in lines)


DAEMONS = {
    "without output": "for fd in range(3): os.close(fd)",
    "that holds its output": "pass",
    "that ignores signals": "[signal.signal(it, signal.SIG_IGN) for it in (1, 2, 3, 13, 15)]",
    "that floods": "signal.alarm(0)\nwhile True: os.write(1, b'x' * 65536)",
}


@pytest.mark.parametrize("daemon", DAEMONS)
def test_a_daemon_ends_with_its_task(stage, daemon):
    code = "if os.fork() == 0:\n os.setsid()\n if os.fork() == 0:\n  os.setsid()\n  write('daemon', str(os.getpid()))\n"
    code += "".join(f"  {line}\n" for line in DAEMONS[daemon].splitlines())
    code += "  time.sleep(60)\n os._exit(0)\nwhile not os.path.exists('daemon'): time.sleep(0.001)\n"
    ended = stage.attack(code)
    assert ended.succeeded, ended.message
    assert (ended.ended_at - ended.started_at).total_seconds() < 2


@pytest.mark.parametrize(
    "code",
    [
        "[signal.signal(it, signal.SIG_IGN) for it in range(1, 32) if it not in (9, 19)]\nwhile True: pass",
        "signal.pthread_sigmask(signal.SIG_BLOCK, range(1, 65)); time.sleep(60)",
        "os.kill(os.getpid(), signal.SIGSTOP)",
        "os.kill(0, signal.SIGSTOP)",
        "os.vfork() if hasattr(os, 'vfork') else time.sleep(60)",
    ],
)
def test_what_heeds_no_signal_ends_at_its_deadline(stage, code):
    ended = stage.attack(code, limits=soon(0.3))
    assert ended.reason is EndReason.TIMEOUT
    assert (ended.ended_at - ended.started_at).total_seconds() < 2


@pytest.mark.parametrize("signal", ["SIGKILL", "SIGSTOP", "SIGTERM"])
def test_signals_to_all_reach_nobody_else(stage, open_stage, signal):
    neighbour = open_stage()
    code = f"""
        children = [subprocess.Popen(["sleep", "60"]) for _ in range(2)]
        for target in (-1, 1, 0, -os.getppid(), os.getppid(), *range(3, 40)):
            tries("", lambda: os.kill(target, signal.{signal}))
        time.sleep(60)
    """
    ended = stage.attack(code, limits=soon(0.3))
    assert ended.reason in {EndReason.TIMEOUT, EndReason.EXIT_NONZERO}
    assert neighbour.say("print('well')") == "well\n"
