"""Real scripts in real sandboxes: what they see, and what they try in vain."""

import os
import shutil
import socket
import subprocess
import sys
import sysconfig
import tempfile
from dataclasses import replace
from pathlib import Path

import pytest

from gridloom.errors import AttemptFailed, RunnerFailed
from gridloom.states import EndReason
from tests.fixtures.slots import KEY, Stage, open_fds
from worker.collect import remove_tree
from worker.runners.bubblewrap import BubblewrapRunner, is_public
from worker.runners.cgroups import Cgroups
from worker.runners.protocol import Execution, Folder, Limits

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def runner():
    it = BubblewrapRunner(cgroups=Cgroups.detect())
    reason = it.probe()
    if reason is not None:
        if os.environ.get("CI"):
            pytest.fail(f"bubblewrap does not work: {reason}")
        pytest.skip(f"bubblewrap does not work: {reason}")
    return it


@pytest.fixture
def stage(runner, tmp_path):
    slot = runner.open_slot(KEY)
    folder = tmp_path / "task"
    folder.mkdir()
    yield Stage(slot, folder)
    slot.close()


def say(stage: Stage, code: str, **limits: float) -> str:
    """Run a Python script and return what it printed."""
    ended = stage.run(code, name="main.py", limits=Limits(timeout_s=20, **limits))
    assert ended.succeeded, (ended.message, stage.heard.stderr)
    return stage.heard.stdout.decode()


def test_a_script_is_nobody_with_no_rights(stage):
    code = """
        import os
        status = dict(line.split(":", 1) for line in open("/proc/self/status"))
        print(os.getuid(), os.getgid(), *(status[it].strip() for it in ("CapEff", "CapBnd", "NoNewPrivs")))
    """
    none = "0" * 16
    assert say(stage, code) == f"65534 65534 {none} {none} 1\n"


def test_a_script_is_never_the_hosts_root(stage):
    say(stage, "open('made', 'w').close()")
    assert (stage.folder / "made").stat().st_uid == (65534 if os.geteuid() == 0 else os.geteuid())


def test_a_script_sees_the_system_and_its_folders_alone(stage, tmp_path):
    (tmp_path / "neighbour").mkdir()
    seen = say(
        stage,
        f"import os; print(os.listdir({str(tmp_path)!r}), sorted(os.listdir('/')), os.listdir('/home') if os.path.exists('/home') else '')",
    )
    assert seen.startswith("['task'] ")
    assert not {"'sys'", "'home'", "'var'", "'boot'"} & {
        *seen.replace(",", "").replace("]", "").replace("[", "").split()
    }


def test_a_script_has_the_names_of_users_and_a_clean_environment(stage):
    ended = stage.run(
        "id -un; env | cut -d= -f1 | sort | tr '\\n' ' '; cat /proc/1/environ | wc -c", WORD="x"
    )
    assert ended.succeeded
    assert stage.heard.stdout.decode() == "nobody\nHOME LANG PATH PWD TMPDIR WORD 0\n"


def test_a_hostile_variable_takes_effect_inside_alone(stage):
    ended = stage.run("echo in >&1; ls /", LD_PRELOAD=str(stage.folder / "evil.so"))
    assert ended.succeeded
    assert b"cannot be preloaded" in stage.heard.stderr


@pytest.mark.parametrize(
    "path",
    [
        "/usr/x",
        "/etc/x",
        "/x",
        "/proc/sys/kernel/hostname",
        "/proc/sysrq-trigger",
        "/sys/x",
        "/dev/x",
        "/run/x",
    ],
)
def test_the_system_cannot_be_written(stage, path):
    ended = stage.run(f"echo x > {path}")
    assert ended.reason is EndReason.EXIT_NONZERO
    assert not Path("/usr/x").exists()


def test_a_read_only_folder_stays_so_and_a_writable_one_is_written(stage, tmp_path):
    given = tmp_path / "given"
    given.mkdir(mode=0o700)
    (given / "data.bin").write_text("chunk")
    execution = stage.execution(f"cat {given}/data.bin; echo x > {given}/data.bin || echo x > made || exit 7")
    execution = Execution(
        label="x",
        script=execution.script,
        env={},
        folders=(Folder(path=given), *execution.folders),
        limits=execution.limits,
    )
    assert stage.slot.run(execution, stage.heard).succeeded
    assert stage.heard.stdout == b"chunk"
    assert (given / "data.bin").read_text() == "chunk"
    assert (stage.folder / "made").read_text() == "x\n"


def test_there_is_no_network(stage):
    with socket.create_server(("127.0.0.1", 0)) as server:
        code = f"""
            import os, socket
            try: socket.create_connection(("127.0.0.1", {server.getsockname()[1]}), 2)
            except OSError as error: print(type(error).__name__)
            print([name for _, name in socket.if_nameindex()])
        """
        assert say(stage, code) == "ConnectionRefusedError\n['lo']\n"


def test_neighbours_are_out_of_sight(runner, stage, tmp_path):
    other = Stage(runner.open_slot(KEY), tmp_path / "other")
    other.folder.mkdir()
    look = "import os; print(os.listdir('/tmp'), os.listdir('/dev/shm'), [it for it in os.listdir('/proc') if it.isdigit()])"
    try:
        write = "open('/tmp/secret','w').write('x'); open('/dev/shm/secret','w').write('x')\n"
        assert "secret" in say(stage, write + look)
        for neighbour in (stage, other):
            seen = say(neighbour, look)
            assert "secret" not in seen
            assert len(seen.rsplit("[", 1)[1].split(",")) == 2
    finally:
        other.slot.close()


@pytest.mark.parametrize(
    "attempt",
    [
        "import ctypes, os; os._exit(ctypes.CDLL(None).mount(b'x', b'/tmp', b'tmpfs', 0, None) != 0)",
        "import os; os.mknod('/tmp/null', 0o20666, os.makedev(1, 3))",
        "import os; os.setuid(0)",
        "import os; os.chown('/tmp', 0, 0)",
        "import os; os.kill(-1, 0); os.kill(1, 9); open('/proc/1/mem', 'wb')",
        "import os; os.link('/usr/bin/env', 'env')",
        "open('/root/.profile')",
        "open('/etc/shadow')",
    ],
)
def test_what_only_root_may_do_fails(stage, attempt):
    ended = stage.run(attempt, name="main.py")
    assert ended.reason is EndReason.EXIT_NONZERO


def test_daemons_end_with_the_sandbox(stage):
    ended = stage.run("setsid sh -c 'setsid sleep 61.7 &' & sleep 0.1")
    assert ended.succeeded
    assert (ended.ended_at - ended.started_at).total_seconds() < 5
    running = [it for it in Path("/proc").iterdir() if it.name.isdigit() and b"61.7" in cmdline(it)]
    assert running == []


def cmdline(process: Path) -> bytes:
    try:
        return (process / "cmdline").read_bytes()
    except OSError:
        return b""


def test_a_script_that_ignores_sigterm_ends_at_its_timeout(stage):
    ended = stage.run("trap '' TERM; sleep 60; sleep 60", limits=Limits(timeout_s=0.3))
    assert ended.reason is EndReason.TIMEOUT
    assert (ended.ended_at - ended.started_at).total_seconds() < 3


def test_ends_are_told_apart(stage):
    ended = stage.run("echo why >&2; exit 3")
    assert (ended.exit_code, ended.message) == (3, "exit code 3: why")
    ended = stage.run("kill -SEGV $$")
    assert ended.signal == 11
    ended = stage.run(
        "x = []\nwhile True: x.append(b'x' * (1 << 20))",
        name="main.py",
        limits=Limits(timeout_s=20, memory_mib=64),
    )
    assert ended.reason is EndReason.OUT_OF_MEMORY
    assert stage.run("exit 0").succeeded


def test_a_fork_bomb_is_bounded(stage):
    code = """
        import os, time
        end = time.time() + 5
        while time.time() < end:
            try: os.fork()
            except OSError: time.sleep(0.05)
    """
    ended = stage.run(code, name="main.py", limits=Limits(timeout_s=1, processes=50))
    assert ended.reason is EndReason.TIMEOUT
    assert (ended.ended_at - ended.started_at).total_seconds() < 6
    assert stage.run("exit 0").succeeded


def test_private_scratch_is_bounded(stage):
    ended = stage.run("head -c 100000000 /dev/zero > /tmp/big", limits=Limits(timeout_s=20, memory_mib=64))
    assert ended.reason in {EndReason.EXIT_NONZERO, EndReason.OUT_OF_MEMORY}


def test_a_program_without_its_interpreter_is_the_components_fault(stage):
    program = stage.folder / "main"
    program.write_text("")
    program.chmod(0o755)
    with pytest.raises(AttemptFailed) as failure:
        stage.run("#!/no/such\n", name="main")
    assert failure.value.reason is EndReason.BAD_COMPONENT
    assert stage.run("exit 0").succeeded


def test_a_sandbox_that_cannot_start_is_the_runners_fault(stage):
    execution = stage.execution("exit 0")
    broken = replace(execution, script=stage.folder / "missing" / "main.sh")
    with pytest.raises(RunnerFailed, match=r"sandbox can't be started: bwrap: .*chdir"):
        stage.slot.run(broken, stage.heard)
    assert stage.run("exit 0").succeeded


def test_what_a_hostile_script_leaves_can_be_removed(stage):
    stage.run("mkdir -p a/b/c; touch a/b/f; ln -s /etc a/l; chmod 0 a/b/c a/b a")
    remove_tree(stage.folder)
    assert not stage.folder.exists()


def test_many_sandboxes_leave_nothing_open(stage):
    stage.run("exit 0")
    agent = stage.slot._link.pid
    before = (open_fds(), open_fds(agent), len(Path("/proc/self/mounts").read_text()))
    for _ in range(50):
        assert stage.run("exit 0").succeeded
    assert (open_fds(), open_fds(agent), len(Path("/proc/self/mounts").read_text())) == before


ORDINARY = """
import os, sys
from pathlib import Path
from tests.fixtures.slots import KEY, Stage
from worker.runners.bubblewrap import BubblewrapRunner, is_public
from worker.runners.cgroups import Cgroups

runner = BubblewrapRunner(python=sys.executable, cgroups=Cgroups.detect())
print(runner.probe(), runner.task_uid)
stage = Stage(runner.open_slot(KEY), Path(sys.argv[1]))
ended = stage.run("id -u; echo x > made; (setsid sleep 60 &) ; kill -9 1; ls /tmp")
print(ended.reason, stage.heard.stdout, (stage.folder / "made").stat().st_uid == os.getuid())
stage.slot.close()
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="the other tests are it already")
def test_an_ordinary_user_gets_sandboxes_too(runner, tmp_path):
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    python, packages = shutil.which(version, path="/usr/bin"), Path(sysconfig.get_path("purelib"))
    if python is None or not is_public(packages) or not is_public(ROOT):
        pytest.skip("no interpreter or packages that every user can read")
    with tempfile.TemporaryDirectory() as folder:
        os.chown(folder, 1234, 1234)
        done = subprocess.run(
            [python, "-c", ORDINARY, folder],
            cwd=ROOT,
            env={"PYTHONPATH": f"{ROOT}:{packages}", "PYTHONDONTWRITEBYTECODE": "1", "PATH": "/usr/bin:/bin"},
            user=1234,
            group=1234,
            extra_groups=[],
            capture_output=True,
            text=True,
            check=False,
        )
        name = Path(folder).name
    assert (done.stdout, done.returncode) == (
        f"None None\nNone {f'65534{chr(10)}{name}{chr(10)}'.encode()} True\n",
        0,
    ), done.stderr
