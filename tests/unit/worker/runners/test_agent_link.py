"""Unit tests of the wire between a worker and its agents."""

import contextlib
import os
import socket
import stat
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gridloom.errors import RunnerFailed
from worker.runners.agent.frames import ENDED, HEAD, Request
from worker.runners.agent_link import AgentLink, Listener, Reply, RunRequest, socket_pair
from worker.runners.rlimits import Rlimits

TEXT = st.text(st.characters(blacklist_characters="\0", blacklist_categories=["Cs"]), max_size=20)
NAMES = st.text("ABC_", min_size=1, max_size=8)
BOUNDS = Rlimits(file_bytes=1, processes=2, data_bytes=3)
HELLO = b"python=3.11.2\0nested=1\0why_not="


def hello(body=HELLO):
    return HEAD.pack(len(body), b"H", 0) + body


@given(st.lists(TEXT, min_size=1), st.dictionaries(NAMES, TEXT), TEXT, TEXT, st.booleans())
def test_the_agent_reads_what_was_encoded(argv, env, cwd, component, python):
    asked = RunRequest(cwd=cwd, component=component, argv=tuple(argv), env=env, python=python, rlimits=BOUNDS)
    request = Request(asked.encode())
    assert request.argv == [it.encode() for it in argv]
    assert request.env == {name.encode(): value.encode() for name, value in env.items()}
    assert (request.cwd, request.component) == (cwd.encode(), component.encode())
    assert (request.python, request.file_bytes, request.processes, request.data_bytes) == (python, 1, 2, 3)


def test_a_nul_is_refused():
    with pytest.raises(ValueError, match="NUL"):
        RunRequest(cwd="/", component="/", argv=("a\0b",), env={}, python=False, rlimits=BOUNDS).encode()


@given(st.sampled_from([b"E", b"I", b"X"]), st.binary(max_size=200))
def test_an_answer_is_understood_or_fails_the_slot(kind, body):
    with contextlib.suppress(RunnerFailed):
        assert Reply.of(kind, 1, body).number == 1


def test_an_answer_carries_status_usage_and_modules():
    reply = Reply.of(b"E", 7, ENDED.pack(256, 0, 1_000_000, 500_000, 2048) + b"json\0decimal")
    assert (reply.status, reply.cpu_s, reply.peak_memory_mib) == (256, 1.5, 2.0)
    assert reply.modules == ("json", "decimal")


def test_the_first_frame_is_the_hello():
    ours, theirs = socket_pair()
    with ours, theirs:
        theirs.sendall(hello())
        link = AgentLink.greeted(ours, 0, 5, lambda: "")
        assert (link.hello.python, link.hello.nested, link.hello.why_not) == ("3.11.2", True, "")
        assert link.pid > 0


@pytest.mark.parametrize("body", [b"", b"python", b"python=3", b"\xff=\0nested"])
def test_a_hello_that_makes_no_sense_is_refused(body):
    ours, theirs = socket_pair()
    with ours, theirs:
        theirs.sendall(hello(body))
        with pytest.raises(RunnerFailed, match="hello makes no sense"):
            AgentLink.greeted(ours, 0, 5, lambda: "")


def test_a_frame_of_a_gigabyte_is_refused_at_its_head():
    ours, theirs = socket_pair()
    with ours, theirs:
        theirs.sendall(HEAD.pack(1 << 30, b"H", 0))
        with pytest.raises(RunnerFailed, match="1073741824 bytes"):
            AgentLink.greeted(ours, 0, 5, lambda: "")


def test_an_agent_that_ends_before_its_hello_fails_with_its_last_words():
    ours, theirs = socket_pair()
    with ours:
        theirs.close()
        with pytest.raises(RunnerFailed, match="no ctypes"):
            AgentLink.greeted(ours, 0, 5, lambda: "no ctypes")


def test_one_agent_is_let_in_and_the_name_is_gone_then(tmp_path):
    folder = tmp_path / ("deep" * 20) / ("er" * 40)
    folder.mkdir(parents=True)
    listener = Listener(folder)
    path = folder / "agent.sock"
    assert stat.S_ISSOCK(path.stat().st_mode)
    client = socket.socket(socket.AF_UNIX)

    def connect():
        fd = os.open(folder, os.O_PATH)
        client.connect(f"/proc/self/fd/{fd}/agent.sock")
        os.close(fd)
        client.sendall(hello())

    thread = threading.Thread(target=connect)
    thread.start()
    link = listener.accept(5, lambda: "")
    thread.join()
    assert not path.exists()
    assert link.hello.python == "3.11.2"
    link.close()
    client.close()


def test_waiting_for_an_agent_ends_with_its_trouble_or_the_time(tmp_path):
    with pytest.raises(RunnerFailed, match="the container is gone"):
        Listener(tmp_path).accept(5, lambda: "the container is gone")
    with pytest.raises(RunnerFailed, match="does not answer"):
        Listener(tmp_path).accept(0, lambda: "")
    assert list(tmp_path.iterdir()) == []
