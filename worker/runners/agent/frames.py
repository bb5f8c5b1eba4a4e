"""The wire between an agent and its worker.

Frames, both ways: u32 length, one byte of kind, u64 number, body. To the agent: `R` run (its descriptors come with
it: stdout, stderr), `K` kill that run, `I` import modules (body: names, NUL between them). Back: `H` hello, `E` ended
(body: wait status, whether anything was left behind, user and system time in us, peak RSS in KiB, then the modules
that a Python script imported, NUL between them), `X` could not be started (body: text), `I` imported (body: for each
name `name=` or `name=why not`, NUL between them). An end of file means that the worker is gone.
"""

from __future__ import annotations

import os
import socket
import struct

HEAD = struct.Struct("<IcQ")
ENDED = struct.Struct("<qqqqq")
RECEIVED_BYTES = 1 << 16
MOST_FDS = 8


class Gone(Exception):
    """The worker has closed its end."""


class Link:
    """The agent's end of the socket: `fd:<number>`, or a path to connect to.

    What comes is kept in memory that can be wiped: the next task is forked from this process, and could look for the
    secrets of the one before.
    """

    def __init__(self, link: str) -> None:
        if link.startswith("fd:"):
            self.socket = socket.socket(fileno=int(link[3:]))
            self.socket.set_inheritable(False)
        else:
            self.socket = socket.socket(socket.AF_UNIX)
            connect(self.socket, link)
        self.buffer = bytearray()
        self.received = bytearray(RECEIVED_BYTES)
        self.fds: list[int] = []

    def take(self) -> tuple[bytes, int, bytearray, list[int]]:
        """Return kind, number, body and descriptors of the next frame; raises Gone. The body is for the caller to wipe."""
        while True:
            if len(self.buffer) >= HEAD.size:
                length, kind, number = HEAD.unpack_from(self.buffer)
                end = HEAD.size + length
                if len(self.buffer) >= end:
                    body = self.buffer[HEAD.size : end]
                    self.buffer[:end] = bytes(end)
                    del self.buffer[:end]
                    fds, self.fds = self.fds, []
                    return kind, number, body, fds
            size, fds = receive(self.socket, self.received)
            self.buffer += memoryview(self.received)[:size]
            self.received[:size] = bytes(size)
            self.fds += fds

    def send(self, kind: bytes, number: int, body: bytes) -> None:
        """Send one frame; raises Gone."""
        try:
            self.socket.sendall(HEAD.pack(len(body), kind, number) + body)
        except OSError:
            raise Gone from None


def connect(link: socket.socket, path: str) -> None:
    """Connect to a path of any length: an address has room for 108 bytes."""
    folder = os.open(os.path.dirname(path) or ".", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        link.connect(f"/proc/self/fd/{folder}/{os.path.basename(path)}")
    finally:
        os.close(folder)


def receive(link: socket.socket, into: bytearray) -> tuple[int, list[int]]:
    """Read some bytes; return how many, and the descriptors that came with them; raises Gone at the end of the file."""
    fds: list[int] = []
    try:
        size, ancillary, _, _ = link.recvmsg_into(
            [into], socket.CMSG_SPACE(4 * MOST_FDS), socket.MSG_CMSG_CLOEXEC
        )
    except OSError:
        raise Gone from None
    if not size:
        raise Gone
    for _, _, packed in ancillary:
        fds += struct.unpack(f"{len(packed) // 4}i", packed)
    return size, fds


class Request:
    """What to run; `worker.runners.agent_link` writes the fields in this order.

    `python` asks for a Python script in a fork of the agent itself, else `argv` is executed.
    """

    def __init__(self, body: bytes) -> None:
        head, self.cwd, self.component, rest = body.split(b"\0", 3)
        counts = [int(number) for number in head.split()]
        arguments, self.python, self.file_bytes, self.processes, self.data_bytes = counts
        fields = rest.split(b"\0")
        self.argv = fields[:arguments]
        self.env: dict[bytes, bytes] = {}
        for pair in fields[arguments:]:
            name, _, value = pair.partition(b"=")
            self.env[name] = value
