"""Attacks that succeeded once, on what a user's tasks share without a wall between them."""

import os
import textwrap
import threading
import time

import pytest

from gridloom.states import EndReason
from worker.runners.protocol import Limits


def test_message_queues_go_with_their_task(target, stage):
    if target.name != "docker":
        pytest.skip("there is no /dev/mqueue")
    stage.gains("os.close(os.open('/dev/mqueue/secret', os.O_CREAT | os.O_RDWR, 0o666))")
    assert target.stage().gains("print(os.listdir('/dev/mqueue'))") == "[]\n"


def test_the_next_task_finds_nothing_of_the_one_before_in_its_memory(target, stage):
    needle = os.urandom(8).hex()
    stage.attack("print(os.environ['SECRET'][::-1])", SECRET=needle)
    code = f"""
        with open("/proc/self/mem", "rb", 0) as memory:
            for line in open("/proc/self/maps"):
                place, rights = line.split()[:2]
                first, last = (int(it, 16) for it in place.split("-"))
                if "w" in rights and last - first < 1 << 26:
                    memory.seek(first)
                    try: data = memory.read(last - first)
                    except OSError: continue
                    for start in re.finditer(b"SECRET=", data):
                        if data[start.end() : start.end() + 16][::-1] == {needle[::-1].encode()!r}: print(place)
    """
    assert target.stage().gains(code) == ""


@pytest.mark.parametrize("memory_mib", [96, 512])
def test_a_bomb_that_never_rests_is_told_as_what_ended_it(open_stage, memory_mib):
    stage = open_stage(memory_mib=memory_mib)
    code = """
        while True:
            try: os.fork()
            except OSError: pass
    """
    ended = stage.attack(code, limits=Limits(timeout_s=1, memory_mib=memory_mib))
    assert ended.reason in {EndReason.TIMEOUT, EndReason.OUT_OF_MEMORY}


HOARDS = {
    "watches": """
        held = []
        tries("", lambda: [held.append(call("inotify_init1", 0)) for _ in range(100000)])
    """,
    "descriptors in flight": """
        pairs = []
        try:
            while True:
                pairs.append(socket.socketpair())
                pairs[-1][0].setblocking(False)
                try:
                    while True: socket.send_fds(pairs[-1][0], [b"x"], [0] * 250)
                except BlockingIOError: pass
        except OSError as error: print(error, len(pairs))
    """,
}


@pytest.mark.parametrize("what", HOARDS)
def test_what_one_task_hoards_is_not_wanting_to_others(open_stage, what):
    hog, neighbour = open_stage(), open_stage(owner="other")
    wait = textwrap.dedent("""
        write("ready")
        while not os.path.exists("done"): time.sleep(0.01)
    """)
    ends = []
    thread = threading.Thread(target=lambda: ends.append(hog.attack(textwrap.dedent(HOARDS[what]) + wait)))
    thread.start()
    try:
        while thread.is_alive() and not (hog.folder / "ready").exists():
            time.sleep(0.01)
        said = neighbour.gains(
            """
            print("well")
            if os.environ["WHAT"] == "watches": call("inotify_init1", 0)
            """,
            WHAT=what,
            limits=Limits(timeout_s=3, memory_mib=96),
        )
        assert said == "well\n"
    finally:
        (hog.folder / "done").touch()
        thread.join()
    assert ends[0].succeeded, hog.heard.stderr
