"""Real scripts in bubblewrap's sandboxes: what they see there. Attacks on any runner are in `test_attacks*`."""

import dataclasses
import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path

import pytest

from gridloom.errors import AttemptFailed, RunnerFailed
from gridloom.states import EndReason
from tests.fixtures.slots import KEY, Stage, make_grounds, open_fds, settle
from worker.collect import remove_tree
from worker.runners.bubblewrap import BubblewrapRunner, is_public
from worker.runners.cgroups import Cgroups
from worker.runners.protocol import Limits

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def grounds(tmp_path_factory):
    return make_grounds(tmp_path_factory.mktemp("worker"))


@pytest.fixture(scope="module")
def runner(grounds):
    it = BubblewrapRunner(grounds, cgroups=Cgroups.detect())
    reason = it.probe()
    if reason is not None:
        if os.environ.get("CI"):
            pytest.fail(f"bubblewrap does not work: {reason}")
        pytest.skip(f"bubblewrap does not work: {reason}")
    return it


@pytest.fixture
def stage(runner):
    slot = runner.open_slot(KEY)
    assert slot.facts.isolation == "task namespaces"
    yield Stage(slot)
    slot.close()


def test_a_script_is_nobody_with_no_rights(stage):
    code = """
        import os
        status = dict(line.split(":", 1) for line in open("/proc/self/status"))
        print(os.getuid(), os.getgid(), *(status[it].strip() for it in ("CapEff", "CapBnd", "NoNewPrivs")))
    """
    none = "0" * 16
    assert stage.say(code) == f"65534 65534 {none} {none} 1\n"


def test_a_script_is_never_the_hosts_root(stage):
    stage.say("open('made', 'w').close()")
    assert (stage.folder / "made").stat().st_uid == (65534 if os.geteuid() == 0 else os.geteuid())


def test_a_script_sees_the_system_and_its_slots_folder_alone(runner, stage, grounds):
    neighbour = runner.open_slot(KEY)
    slots = str(grounds.slots)
    code = f"import os; print(os.listdir({slots!r}), os.listdir('/'), os.path.exists('/home/x'))"
    seen = stage.say(code)
    neighbour.close()
    assert seen.startswith(f"['{stage.slot.folder.name}'] ")
    assert not {"'sys'", "'home'", "'var'", "'boot'"} & {*seen.replace("[", "").replace("]", "").split(", ")}


def test_a_script_has_the_names_of_users_and_a_clean_environment(stage):
    ended = stage.run(
        "id -un; env | cut -d= -f1 | sort | tr '\\n' ' '; cat /proc/1/environ | wc -c", WORD="x"
    )
    assert ended.succeeded
    assert stage.heard.stdout.decode() == "nobody\nHOME LANG OMP_NUM_THREADS PATH PWD TMPDIR WORD 0\n"


def test_a_hostile_variable_takes_effect_inside_alone(stage):
    ended = stage.run("echo in >&1; ls /", LD_PRELOAD=str(stage.folder / "evil.so"))
    assert ended.succeeded
    assert b"cannot be preloaded" in stage.heard.stderr


def test_a_script_sees_its_own_component_alone_and_can_not_change_it(stage, grounds):
    own, other = (grounds.components / KEY.owner / name for name in ("1", "2"))
    for folder in (own, other):
        folder.mkdir(mode=0o755, exist_ok=True)
        (folder / "main.py").write_text(
            "import os; print(os.listdir('..'))\ntry: open('main.py', 'w')\nexcept OSError as e: print(e.errno)"
        )
    execution = dataclasses.replace(stage.execution(""), component=own, script=own / "main.py")
    assert stage.slot.run(execution, stage.heard).succeeded
    assert stage.heard.stdout == b"['1']\n30\n"


def test_the_owners_cache_is_kept_and_the_shared_one_is_not_written(runner, stage, grounds):
    own, shared = grounds.user_caches / KEY.owner, grounds.shared_cache
    (shared / "weights").write_text("w")
    code = f"cat {shared}/weights; echo x > {own}/kept && ! echo x > {shared}/new && ! ls {grounds.user_caches}/other"
    assert stage.run(code).succeeded
    assert stage.heard.stdout == b"w"
    assert (own / "kept").read_text() == "x\n"
    assert not (shared / "new").exists()


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


def test_a_program_without_its_interpreter_is_the_components_fault(stage):
    program = stage.folder / "main"
    program.write_text("")
    program.chmod(0o755)
    with pytest.raises(AttemptFailed) as failure:
        stage.run("#!/no/such\n", name="main")
    assert failure.value.reason is EndReason.BAD_COMPONENT
    assert stage.run("exit 0").succeeded


def test_a_sandbox_that_cannot_start_is_the_runners_fault(grounds, tmp_path):
    broken = tmp_path / "usr" / "bin" / "bwrap"
    broken.parent.mkdir(parents=True)
    broken.write_text("#!/bin/sh\necho no way >&2; exit 7\n")
    broken.chmod(0o755)
    for folder in (tmp_path, *tmp_path.parents[:2]):
        folder.chmod(0o755)
    with pytest.raises(RunnerFailed, match="code 7: no way"):
        BubblewrapRunner(grounds, bwrap=broken, cgroups=Cgroups.detect()).open_slot(KEY)
    assert BubblewrapRunner(grounds, bwrap=broken).probe() == "the agent ended with code 7: no way"
    assert not list(grounds.slots.iterdir())


def test_what_a_hostile_script_leaves_can_be_removed(stage):
    stage.run("mkdir -p a/b/c; touch a/b/f; ln -s /etc a/l; chmod 0 a/b/c a/b a")
    remove_tree(stage.folder)
    assert not stage.folder.exists()


def mounts_of(stage):
    """Return the mounts of this stage's folders or sandboxes that the host sees: other tests mount things too."""
    root, lines = str(stage.slot.folder.parents[1]), Path("/proc/self/mountinfo").read_text().splitlines()
    return [line for line in lines if root in line or "newroot" in line or "oldroot" in line]


def test_many_sandboxes_leave_nothing_open(stage):
    stage.run("exit 0")
    agent = stage.slot._link.pid
    settle(agent)
    before = (open_fds(), open_fds(agent), mounts_of(stage))
    for _ in range(50):
        assert stage.run("exit 0").succeeded
    settle(agent)
    assert (open_fds(), open_fds(agent), mounts_of(stage)) == before


ORDINARY = """
import os, sys
from pathlib import Path
from tests.fixtures.slots import KEY, Stage, make_grounds
from worker.runners.bubblewrap import BubblewrapRunner, is_public
from worker.runners.cgroups import Cgroups

runner = BubblewrapRunner(make_grounds(Path(sys.argv[1])), python=sys.executable, cgroups=Cgroups.detect())
print(runner.probe(), runner.task_uid)
stage = Stage(runner.open_slot(KEY))
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
    said = [it for it in done.stdout.splitlines(keepends=True) if "leftovers_killed" not in it]
    assert ("".join(said), done.returncode) == (
        f"None None\nNone {f'65534{chr(10)}{Path(folder).name}{chr(10)}'.encode()} True\n",
        0,
    ), done.stderr
