"""Tests of the embedded broker."""

import socket
import subprocess

import pytest

from cli import valkey
from cli.valkey import answers, remove_socket_folder, socket_folder, valkey_spec
from gridloom.errors import SetupFailed
from tests.fixtures.children import child


@pytest.fixture(autouse=True)
def runtime_dir(monkeypatch, tmp_path_factory):
    monkeypatch.delenv("XDG_RUNTIME_DIR", raising=False)


def test_the_broker_starts_on_a_private_socket_and_keeps_what_it_was_told(tmp_path):
    data_dir = tmp_path / ("deep/" * 30)
    data_dir.mkdir(parents=True)
    spec, url = valkey_spec(data_dir, stop_order=0)
    assert url == f"redis+socket://{socket_folder(data_dir)}/v.sock?virtual_host=0"
    for sent, answer in ((b"SET a 1\r\n", b"+OK"), (b"GET a\r\n", b"$1\r\n1")):
        with child(spec.argv, ready=spec.ready, log=tmp_path / "log"):
            assert talk(url, sent).startswith(answer)
    assert (data_dir / "valkey/valkey.log").is_file()
    remove_socket_folder(data_dir)
    assert not list(socket_folder(data_dir).iterdir())
    remove_socket_folder(data_dir)


def talk(url, command):
    with socket.socket(socket.AF_UNIX) as link:
        link.connect(url.removeprefix("redis+socket://").partition("?")[0])
        link.sendall(command)
        return link.recv(100)


def test_a_socket_that_nobody_serves_does_not_answer(tmp_path):
    assert answers(tmp_path / "none")() is False


def test_a_foreign_folder_is_refused(tmp_path):
    folder = socket_folder(tmp_path)
    try:
        folder.chmod(0o755)
        with pytest.raises(SetupFailed, match=folder.name):
            socket_folder(tmp_path)
    finally:
        folder.rmdir()


def test_the_runtime_folder_is_preferred_when_it_is_private(tmp_path, monkeypatch):
    runtime = tmp_path / "r"
    runtime.mkdir(mode=0o700)
    monkeypatch.setattr(valkey, "_RUNTIME_CHARS", 1000)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(runtime))
    assert socket_folder(tmp_path).parent == runtime


def test_a_server_on_the_path_serves_where_none_is_packed(tmp_path, monkeypatch):
    server = tmp_path / "valkey-server"
    server.write_text("#!/bin/sh\necho found\n")
    server.chmod(0o755)
    monkeypatch.setattr(valkey, "find_spec", lambda _: None)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    spec, _ = valkey_spec(tmp_path, stop_order=0)
    assert subprocess.check_output(spec.argv) == b"found\n"
    monkeypatch.setenv("PATH", "")
    with pytest.raises(SetupFailed, match="--broker-url"):
        valkey_spec(tmp_path, stop_order=0)
    remove_socket_folder(tmp_path)
