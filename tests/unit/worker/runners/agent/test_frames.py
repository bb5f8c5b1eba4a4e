"""Unit tests of the agent's end of the wire, as far as the worker's end has none."""

import socket

import pytest

from worker.runners.agent.frames import HEAD, Gone, Link, Request
from worker.runners.agent_link import Listener


def linked() -> tuple[socket.socket, Link]:
    ours, theirs = socket.socketpair()
    return ours, Link(f"fd:{theirs.detach()}")


def test_a_path_longer_than_an_address_can_be_connected_to(tmp_path):
    folder = tmp_path / ("deep" * 30) / ("deeper" * 30)
    folder.mkdir(parents=True)
    listener = Listener(folder)
    Link(str(folder / "agent.sock")).socket.close()
    listener.close()


def test_frames_are_taken_whole_however_they_come():
    ours, link = linked()
    data = HEAD.pack(3, b"K", 7) + b"abc" + HEAD.pack(0, b"I", 8)
    for at in range(len(data)):
        ours.send(data[at : at + 1])
    assert link.take() == (b"K", 7, b"abc", [])
    assert link.take() == (b"I", 8, b"", [])
    ours.send(data[:5])
    ours.close()
    with pytest.raises(Gone):
        link.take()
    with pytest.raises(Gone):
        link.send(b"H", 0, b"")
    link.socket.close()


def test_no_program_inherits_the_link():
    ours, link = linked()
    assert not link.socket.get_inheritable()
    ours.close()
    link.socket.close()


def test_a_variable_may_hold_anything_but_a_nul():
    request = Request(b"1 1 0 0 0\0/\0/c\0main.py\0A=b=c\0D=\0E")
    assert request.env == {b"A": b"b=c", b"D": b"", b"E": b""}


def test_a_link_may_lie_in_the_working_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    listener = Listener(tmp_path)
    Link("agent.sock").socket.close()
    listener.close()
