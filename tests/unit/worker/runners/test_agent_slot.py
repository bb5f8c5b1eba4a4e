"""Unit tests of a slot with a real agent."""

import os
import signal
import threading
import time
from pathlib import Path

import pytest

from gridloom.errors import AttemptFailed, RunnerFailed
from gridloom.states import EndReason
from tests.fixtures.slots import gone, open_fds, settle
from worker.runners.protocol import Limits


def kill_soon(stage, reason: EndReason, mark: Path) -> threading.Thread:
    """Kill the slot's run as soon as its script has made the mark."""

    def wait_and_kill() -> None:
        while not mark.exists():
            time.sleep(0.005)
        stage.slot.kill(reason)

    thread = threading.Thread(target=wait_and_kill)
    thread.start()
    return thread


def test_a_script_runs_in_its_folder_with_its_environment_alone(stage):
    ended = stage.run("pwd; echo $WORD >&2; env | cut -d= -f1 | sort | tr '\\n' ' '; cat", WORD="hello")
    assert ended.succeeded
    assert (ended.exit_code, ended.signal, ended.message) == (0, None, "")
    assert ended.started_at < ended.ended_at
    where, names = stage.heard.stdout.decode().splitlines()
    assert where == str(stage.folder)
    assert set(names.split()) == {"HOME", "LANG", "OMP_NUM_THREADS", "PATH", "PWD", "TMPDIR", "WORD"}
    assert stage.heard.stderr == b"hello\n"


def test_a_non_zero_exit_names_the_code_and_the_last_words(stage):
    ended = stage.run("echo first >&2; echo the cause >&2; exit 3")
    assert (ended.reason, ended.exit_code) == (EndReason.EXIT_NONZERO, 3)
    assert ended.message == "exit code 3: the cause"


def test_a_script_that_kills_itself_is_named_by_the_signal(stage):
    ended = stage.run("kill -SEGV $$")
    assert (ended.reason, ended.exit_code, ended.signal) == (EndReason.EXIT_NONZERO, None, signal.SIGSEGV)
    assert "SIGSEGV" in ended.message


def test_a_script_that_ignores_sigterm_ends_at_its_timeout(stage):
    ended = stage.run("trap '' TERM INT HUP; while :; do sleep 1; done", limits=Limits(timeout_s=0.2))
    assert (ended.reason, ended.message) == (EndReason.TIMEOUT, "ran longer than 0.2 s")
    assert 0.2 <= (ended.ended_at - ended.started_at).total_seconds() < 2
    assert stage.run("exit 0").succeeded


def test_a_kill_ends_the_run_with_its_reason_and_the_slot_goes_on(stage):
    thread = kill_soon(stage, EndReason.CANCELLED, stage.folder / "mark")
    ended = stage.run("touch mark; sleep 60 & sleep 60")
    thread.join()
    assert ended.reason is EndReason.CANCELLED
    stage.slot.kill(EndReason.CANCELLED)
    assert stage.run("exit 0").succeeded


def test_a_kill_before_the_start_is_not_lost(stage, monkeypatch):
    bound = stage.slot._home.bound

    def slow(limits):
        stage.slot.kill(EndReason.CANCELLED)
        return bound(limits)

    monkeypatch.setattr(stage.slot._home, "bound", slow)
    assert stage.run("touch made").reason is EndReason.CANCELLED
    assert not (stage.folder / "made").exists()


def test_daemons_end_with_their_script(stage):
    code = """
        import os, sys, time
        if os.fork() == 0:
            os.setsid()
            if os.fork() == 0:
                open("pid", "w").write(str(os.getpid()))
                time.sleep(60)
            os._exit(0)
        while not os.path.exists("pid") or not open("pid").read(): time.sleep(0.01)
    """
    ended = stage.run(code, name="main.py")
    assert ended.succeeded
    assert (ended.ended_at - ended.started_at).total_seconds() < 3
    assert not Path("/proc", (stage.folder / "pid").read_text()).exists()


def test_processes_that_multiply_while_they_are_killed_all_end(stage):
    code = """
        import os, time
        end = time.time() + 20
        for _ in range(5): os.fork()
        if os.getpid() != int(open("top").read() or 0) and time.time() < end: os.setsid()
        open(f"pid-{os.getpid()}", "w")
        while time.time() < end:
            try:
                if os.fork(): os._exit(0)
            except OSError: pass
            time.sleep(0.01)
    """
    (stage.folder / "top").write_text("0")
    ended = stage.run(code, name="main.py", limits=Limits(timeout_s=1, processes=100))
    assert (ended.ended_at - ended.started_at).total_seconds() < 8
    marker = str(stage.folder).encode()
    left = [it for it in Path("/proc").iterdir() if it.name.isdigit() and marker in command_line(it)]
    assert left == []


def command_line(process: Path) -> bytes:
    try:
        return (process / "cmdline").read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return b""


def test_a_flood_of_output_is_taken_whole_and_quickly(stage):
    ended = stage.run(
        "yes 0123456789012345678901234567890123456789 | head -c 100000000", limits=Limits(timeout_s=60)
    )
    assert ended.succeeded
    assert stage.heard.size == 100_000_000


def test_a_flood_does_not_outrun_the_timeout(stage):
    assert stage.run("yes", limits=Limits(timeout_s=0.3)).reason is EndReason.TIMEOUT


def test_want_of_memory_is_told(stage):
    ended = stage.run("x = bytearray(1 << 30)", name="main.py", limits=Limits(timeout_s=20, memory_mib=256))
    assert ended.reason is EndReason.OUT_OF_MEMORY
    assert "256 MiB" in ended.message


def test_a_file_may_not_outgrow_its_limit(stage):
    ended = stage.run("head -c 5000000 /dev/zero > big", limits=Limits(timeout_s=20, file_mib=2))
    assert ended.reason is EndReason.EXIT_NONZERO
    assert (stage.folder / "big").stat().st_size == 2 << 20


def test_time_and_memory_of_children_are_counted(stage):
    busy = "x = bytearray(80 << 20)\nn = 0\nfor i in range(3_000_000): n += i\n"
    (stage.folder / "busy.py").write_text(busy)
    ended = stage.run("python3 -I busy.py")
    assert ended.cpu_s > 0.05
    assert ended.peak_memory_mib > 80


def test_temporary_files_go_with_the_run(stage):
    ended = stage.run('mktemp; mkdir -p "$HOME/a/b"; echo "$TMPDIR"')
    assert ended.succeeded
    made, folder = stage.heard.stdout.decode().splitlines()
    assert made.startswith(folder)
    assert not Path(folder).exists()


def test_a_missing_interpreter_is_the_components_fault(stage):
    with pytest.raises(AttemptFailed, match="xyz") as failure:
        stage.run("x", name="main.xyz")
    assert failure.value.reason is EndReason.BAD_COMPONENT
    assert stage.run("exit 0").succeeded


def test_a_program_that_cannot_be_executed_is_the_components_fault(stage):
    script = stage.folder / "main"
    script.write_text("#!/no/such/interpreter\n")
    script.chmod(0o755)
    with pytest.raises(AttemptFailed, match="can't be started") as failure:
        stage.run("#!/no/such/interpreter\n", name="main")
    assert failure.value.reason is EndReason.BAD_COMPONENT
    assert stage.run("exit 0").succeeded


def test_a_variable_with_a_nul_is_refused(stage):
    with pytest.raises(AttemptFailed, match="NUL"):
        stage.run("exit 0", WORD="a\0b")


def test_an_environment_larger_than_a_socket_buffer_arrives(stage):
    ended = stage.run("echo ${#A0}${#A9}", **{f"A{number}": "x" * 100_000 for number in range(10)})
    assert ended.succeeded
    assert stage.heard.stdout == b"100000100000\n"


def test_a_dead_agent_fails_the_run_and_takes_the_script_along(stage):
    def kill_agent() -> None:
        while not (stage.folder / "pid").exists() or not (stage.folder / "pid").read_text():
            time.sleep(0.005)
        os.kill(stage.slot._link.pid, signal.SIGKILL)

    thread = threading.Thread(target=kill_agent)
    thread.start()
    with pytest.raises(RunnerFailed, match="agent"):
        stage.run("echo $$ > pid; exec sleep 60")
    thread.join()
    assert gone(int((stage.folder / "pid").read_text()))


def test_closing_ends_the_run_that_another_thread_waits_for(stage):
    failures = []

    def run() -> None:
        try:
            stage.run("echo $$ > pid; exec sleep 60")
        except RunnerFailed as failure:
            failures.append(failure)

    thread = threading.Thread(target=run)
    thread.start()
    while not (stage.folder / "pid").exists() or not (stage.folder / "pid").read_text():
        time.sleep(0.005)
    pid = int((stage.folder / "pid").read_text())
    stage.slot.close()
    stage.slot.close()
    thread.join(10)
    assert len(failures) == 1
    assert gone(pid)
    stage.folder.mkdir(parents=True)
    with pytest.raises(RunnerFailed, match="closed"):
        stage.run("exit 0")


def test_hundreds_of_runs_leave_no_descriptor_and_no_memory(runner, stage):
    stage.run("exit 0")
    agent = stage.slot._link.pid
    settle(agent)
    before, agent_before = open_fds(), open_fds(agent)
    for number in range(300):
        if number % 50 == 0:
            stage.run("exec sleep 60", limits=Limits(timeout_s=0.01))
        stage.run("exit 0")
    settle(agent)
    assert open_fds() == before
    assert open_fds(agent) == agent_before
    status = Path(f"/proc/{agent}/status").read_text()
    assert int(status.split("VmRSS:")[1].split()[0]) < 20 * 1024


def test_agent_and_folder_are_gone_after_closing(stage):
    stage.run("exit 0")
    agent = stage.slot._link.pid
    stage.slot.close()
    assert not Path(f"/proc/{agent}").exists()
    assert not stage.slot.folder.exists()
    assert stage.slot.memory_mib() == 0
