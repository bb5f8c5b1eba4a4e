"""Unit tests of the Docker runner, on a real daemon."""

import io
import os
import tarfile
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import docker
import pytest
from docker.utils import parse_repository_tag

from gridloom.errors import AttemptFailed, RunnerFailed
from gridloom.states import EndReason
from gridloom.warmth import Isolation, Network
from tests.fixtures.dockerd import clear_dockerd, running_dockerd
from tests.fixtures.slots import Stage
from tests.unit.worker.runners.docker.conftest import left_of, make_runner
from worker.runners.docker.daemon import open_client
from worker.runners.docker.sweep import KEY, SLOT
from worker.runners.protocol import ImageWanted, Limits, SlotKey


@pytest.fixture
def derived(docker_client, python_image) -> Iterator[Callable[..., str]]:
    """Make images of the Python image, with settings changed and files added; they are removed at the end."""
    names: list[str] = []

    def derive(changes: list[str], files: dict[str, str]) -> str:
        name = f"gridloom-test-derived:{os.getpid()}-{os.urandom(4).hex()}"
        made = docker_client.containers.create(python_image, command="none")
        try:
            packed = io.BytesIO()
            with tarfile.open(fileobj=packed, mode="w") as tar:
                for path, text in files.items():
                    entry = tarfile.TarInfo(path)
                    entry.mode, entry.size = 0o755, len(text.encode())
                    tar.addfile(entry, io.BytesIO(text.encode()))
            made.put_archive("/", packed.getvalue())
            repository, tag = parse_repository_tag(name)
            made.commit(repository, tag, changes="\n".join(changes) or None)
        finally:
            made.remove(force=True, v=True)
        names.append(name)
        return name

    yield derive
    for name in names:
        docker_client.images.remove(name, force=True)


def test_a_python_script_runs_in_the_images_own_interpreter_alone(open_slot, python_image):
    slot = open_slot(python_image)
    stage = Stage(slot)
    said = stage.say(
        """
        import os, sys
        print(os.getuid(), sorted(it for it in os.listdir("/proc") if it.isdigit()), os.environ["HOME"])
        print(os.environ["OMP_NUM_THREADS"], os.environ["LANG"], __file__)
        """
    ).splitlines()
    assert said[0].startswith("65534 [")
    assert said[0].endswith(" /tmp")
    assert len(said[0].split("'")) <= 5
    assert said[1] == f"1 C.UTF-8 {stage.folder}/main.py"
    assert slot.facts.isolation == "container+namespaces"
    assert slot.facts.python.startswith("3.")
    assert slot.facts.image.startswith("sha256:")
    assert 1 < slot.memory_mib() < 64


def test_exit_codes_and_last_words_come_back(open_slot, python_image):
    stage = Stage(open_slot(python_image))
    ended = stage.run("import sys; sys.exit('no such column')", name="main.py")
    assert (ended.reason, ended.exit_code) == (EndReason.EXIT_NONZERO, 1)
    assert "no such column" in ended.message
    ended = stage.run("exit 7")
    assert (ended.reason, ended.exit_code) == (EndReason.EXIT_NONZERO, 7)


def test_want_of_memory_is_told_and_the_next_task_unharmed(open_slot, python_image):
    stage = Stage(open_slot(python_image, memory_mib=64))
    limits = Limits(timeout_s=20, memory_mib=64)
    ended = stage.run("b = bytearray(400 << 20); print(len(b))", name="main.py", limits=limits)
    assert ended.reason is EndReason.OUT_OF_MEMORY
    assert "64 MiB" in ended.message
    assert stage.say("print('well')") == "well\n"


def test_a_deadline_ends_a_script_that_ignores_signals(open_slot, python_image):
    stage = Stage(open_slot(python_image))
    code = "import signal, time; signal.signal(15, signal.SIG_IGN); time.sleep(60)"
    began = time.monotonic()
    ended = stage.run(code, name="main.py", limits=Limits(timeout_s=0.3))
    assert ended.reason is EndReason.TIMEOUT
    assert time.monotonic() - began < 10
    assert stage.say("print('well')") == "well\n"


def test_a_kill_ends_a_run_from_another_thread(open_slot, python_image):
    stage = Stage(open_slot(python_image))
    killer = threading.Timer(0.3, stage.slot.kill, (EndReason.CANCELLED,))
    killer.start()
    ended = stage.run("import time; time.sleep(60)", name="main.py")
    killer.join()
    assert ended.reason is EndReason.CANCELLED


def test_an_image_without_python_runs_shell_scripts_by_the_portable_interpreter(
    open_slot, runner, busybox_image
):
    slot = open_slot(busybox_image)
    stage = Stage(slot)
    assert stage.run("echo $HOME; exit 3").exit_code == 3
    assert stage.heard.stdout == b"/tmp\n"
    assert slot.facts.python == ""
    with pytest.raises(AttemptFailed, match="there is no python3 here"):
        stage.run("print(1)", name="main.py")
    assert [*runner._fitting.values()] == [""]


def test_an_image_of_one_static_binary_runs_it(open_slot, static_image):
    slot = open_slot(static_image)
    stage = Stage(slot)
    script = stage.folder / "main"
    script.write_text("#!/busybox sh\necho here\n")
    script.chmod(0o755)
    execution = stage.execution("", name="other.sh")
    ended = slot.run(
        type(execution)(
            label="static",
            component=execution.component,
            script=script,
            env={},
            folders=execution.folders,
            limits=execution.limits,
        ),
        stage.heard,
    )
    assert ended.succeeded, ended.message
    assert stage.heard.stdout == b"here\n"


def test_an_agent_that_a_lying_interpreter_ends_is_had_from_the_next_one(derived, open_slot, runner):
    name = derived([], {"usr/local/bin/python3": "#!/bin/sh\nexit 3\n"})
    slot = open_slot(name)
    assert slot.facts.python == ""
    assert Stage(slot).run("echo here").succeeded
    again = open_slot(name)
    assert again.facts.python == ""
    assert [*runner._fitting.values()] == [""]


def test_an_interpreter_that_never_answers_costs_a_bounded_time(derived, open_slot, monkeypatch):
    monkeypatch.setattr("worker.runners.docker.runner.OPENS_WITHIN_S", 1.0)
    name = derived([], {"usr/local/bin/python3": "#!/bin/sh\nsh -c 'kill -STOP $$' &\nwait\n"})
    with pytest.raises(RunnerFailed, match="does not answer"):
        open_slot(name)


def test_what_an_image_wishes_is_not_heeded_but_its_files_and_variables(derived, open_slot, docker_client):
    changes = [
        'ENTRYPOINT ["/bin/false"]',
        'CMD ["x"]',
        "USER 0",
        "WORKDIR /etc",
        "ENV FLAVOUR=sweet",
        "ENV LANG=C",
        "ENV OMP_NUM_THREADS=7",
        "VOLUME /data",
        "LABEL gridloom.worker=spoofed",
    ]
    name = derived(changes, {})
    volumes = {it.name for it in docker_client.volumes.list()}
    slot = open_slot(name)
    stage = Stage(slot)
    said = stage.say(
        """
        import os
        print(os.getuid(), os.environ["FLAVOUR"], os.environ["LANG"], os.environ["OMP_NUM_THREADS"])
        try:
            open("/data/new", "w")
        except OSError as error:
            print(error.strerror)
        """
    ).splitlines()
    assert said == ["65534 sweet C 7", "Read-only file system"]
    slot.close()
    assert {it.name for it in docker_client.volumes.list()} <= volumes


def test_a_closed_slot_leaves_no_container_folder_or_process(open_slot, runner, docker_client, python_image):
    slot = open_slot(python_image)
    stage = Stage(slot)
    assert stage.run("(setsid sleep 300 &) ; exit 0").succeeded
    execution, pid = stage.execution("exit 0"), slot._home._pid
    assert slot.folder.name in left_of(docker_client, runner)
    slot.close()
    slot.close()
    assert left_of(docker_client, runner) == []
    assert not slot.folder.exists()
    assert not Path(f"/proc/{pid}").exists()
    assert slot.memory_mib() == 0
    assert runner._known == set()
    with pytest.raises(RunnerFailed):
        slot.run(execution, stage.heard)


def test_a_slot_whose_container_is_killed_says_so_and_can_be_closed(open_slot, docker_client, python_image):
    slot = open_slot(python_image)
    stage = Stage(slot)
    killer = threading.Timer(0.3, docker_client.containers.get(slot.folder.name).kill)
    killer.start()
    with pytest.raises(RunnerFailed, match="ended unexpectedly"):
        stage.run("import time; time.sleep(60)", name="main.py")
    killer.join()
    assert slot.memory_mib() == 0


def test_a_container_stops_by_itself_when_its_worker_is_gone(open_slot, docker_client, python_image):
    slot = open_slot(python_image)
    slot._link.hang_up()
    container = docker_client.containers.get(slot.folder.name)
    assert container.wait(timeout=10)["StatusCode"] == 0


def test_tasks_of_a_job_may_share_their_tmp_and_others_not(open_slot, python_image):
    for isolation, seen in ((Isolation.TASK, "False"), (Isolation.JOB, "True")):
        stage = Stage(open_slot(python_image, isolation=isolation, job="j"))
        stage.say("open('/tmp/left', 'w')")
        assert stage.say("import os; print(os.path.exists('/tmp/left'))").strip() == seen


def test_a_task_can_write_nowhere_but_in_its_places_and_see_nothing_of_the_machine(
    open_slot, runner, python_image
):
    runner._grounds.components.joinpath("other").mkdir()
    (runner._grounds.slots.parent / "secret").write_text("x")
    stage = Stage(open_slot(python_image))
    said = stage.say(
        """
        import os
        for path in ("/x", "/usr/x", "/sys/x", "/proc/sys/kernel/hostname", "/dev/x", "/.gridloom/agent/x", "/etc/x",
                     os.environ["COMPONENTS"] + "/x"):
            try:
                open(path, "w")
                print("wrote", path)
            except OSError:
                pass
        try:
            os.mknod("/tmp/disk", 0o60666, os.makedev(8, 0))
            print("made a device")
        except OSError:
            pass
        for path in ("/var/run/docker.sock", "/run/docker.sock", os.environ["SECRET"], os.environ["OTHER"]):
            if os.path.exists(path):
                print("sees", path)
        for path in ("/tmp", "/dev/shm", "."):
            open(path + "/mine", "w").write("x")
        """,
        COMPONENTS=str(runner._grounds.components / "owner"),
        OTHER=str(runner._grounds.components / "other"),
        SECRET=str(runner._grounds.slots.parent / "secret"),
    )
    assert said == ""


def test_a_fork_bomb_is_bounded_and_the_next_task_unharmed(open_slot, python_image):
    stage = Stage(open_slot(python_image, memory_mib=512))
    bomb = """
        import os, time
        made = 0
        try:
            while True:
                if os.fork() == 0:
                    time.sleep(60)
                made += 1
        except OSError:
            print(made < 600, flush=True)
            os._exit(3)
        """
    ended = stage.run(bomb, name="main.py", limits=Limits(timeout_s=30, memory_mib=512))
    assert (ended.exit_code, stage.heard.stdout) == (3, b"True\n"), ended.message
    assert stage.say("print('well')") == "well\n"


def test_labels_say_whose_a_container_is(open_slot, runner, docker_client, python_image):
    slot = open_slot(python_image)
    labels = docker_client.containers.get(slot.folder.name).labels
    assert labels[SLOT] == slot.folder.name
    assert labels[KEY] == "owner/*/task"


def test_the_caches_of_owner_and_machine_are_shown_under_their_own_paths(open_slot, runner, python_image):
    grounds = runner._grounds
    grounds.shared_cache.joinpath("model").write_text("big")
    stage = Stage(open_slot(python_image))
    said = stage.say(
        """
        import os
        shared, own = os.environ["SHARED"], os.environ["OWN"]
        print(open(shared + "/model").read())
        open(own + "/mine", "w").write("kept")
        try:
            open(shared + "/x", "w")
        except OSError as error:
            print(error.strerror)
        """,
        SHARED=str(grounds.shared_cache),
        OWN=str(grounds.user_caches / "owner"),
    )
    assert said == "big\nRead-only file system\n"
    assert (grounds.user_caches / "owner/mine").read_text() == "kept"


def test_who_names_no_image_gets_the_default_one(docker_url, tmp_path, python_image):
    runner = make_runner(docker_url, tmp_path, default_image=lambda: python_image)
    named = runner.have_image(ImageWanted(reference=python_image, owner="owner"), lambda: True)
    assert runner.have_image(ImageWanted(reference="", owner="owner"), lambda: True).digest == named.digest


def test_an_unknown_image_is_the_runners_failure(runner):
    with pytest.raises(RunnerFailed, match="never asked for"):
        runner.open_slot(SlotKey(owner="owner", image="sha256:" + "0" * 64))


def test_a_network_is_given_to_those_that_want_one_and_its_bytes_are_counted(
    docker_url, docker_client, tmp_path, python_image
):
    network = docker_client.networks.create(f"gridloom-test-{tmp_path.name}-{os.getpid()}", internal=True)

    class Egress:
        def network(self) -> str:
            return network.name

    runner = make_runner(docker_url, tmp_path, egress=Egress())
    try:
        had = runner.have_image(ImageWanted(reference=python_image, owner="owner"), lambda: True)
        slot = runner.open_slot(
            SlotKey(owner="owner", image=had.digest, memory_mib=64, network=Network.EGRESS)
        )
        gateway = docker_client.api.inspect_network(network.id)["IPAM"]["Config"][0]["Gateway"]
        code = f"""
            import socket
            link = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            link.sendto(b"x" * 1000, ("{gateway}", 9))
            """
        try:
            ended = Stage(slot).run(code, name="main.py")
        finally:
            slot.close()
        assert ended.succeeded, ended.message
        assert (ended.sent_bytes or 0) > 1000
        assert ended.received_bytes is not None
    finally:
        network.remove()


def test_the_probe_is_silent_where_containers_can_be_run(runner):
    assert runner.probe() is None


def test_without_a_daemon_everything_says_so_at_once(tmp_path):
    url = f"unix://{tmp_path}/no.sock"
    with pytest.raises(RunnerFailed, match="no container daemon answers"):
        open_client(url)
    runner = make_runner(url, tmp_path)
    assert "no container daemon answers" in runner.probe()
    runner.sweep()
    runner.close()


def test_a_daemon_that_restarts_costs_a_runner_failure_and_its_remains_are_swept_once_it_is_back(
    tmp_path, docker_client, python_image
):
    # Not tmp_path: the name of a unix socket may have 107 bytes, and containerd wants some of them.
    with tempfile.TemporaryDirectory(prefix="gl-", ignore_cleanup_errors=True) as name:
        try:
            with running_dockerd(Path(name)) as (url, process):
                with closing(docker.DockerClient(base_url=url)) as own:
                    own.images.load(b"".join(docker_client.images.get(python_image).save(named=True)))
                runner = make_runner(url, tmp_path)
                had = runner.have_image(ImageWanted(reference=python_image, owner="owner"), lambda: True)
                key = SlotKey(owner="owner", image=had.digest, memory_mib=64)
                slot = runner.open_slot(key)
                process.terminate()
                process.wait(20)
                began = time.monotonic()
                with pytest.raises(RunnerFailed, match="no container daemon answers"):
                    runner.open_slot(key)
                slot.close()
                runner.sweep()
                assert time.monotonic() - began < 10
                assert [it.name for it in (tmp_path / "runs").iterdir()] == [slot.folder.name]
            with running_dockerd(Path(name)) as (url, _), closing(docker.DockerClient(base_url=url)) as own:
                assert left_of(own, runner) == [slot.folder.name]
                runner.sweep()
                assert left_of(own, runner) == []
                assert [*(tmp_path / "runs").iterdir()] == []
                runner.open_slot(key).close()
                runner.close()
        finally:
            clear_dockerd(Path(name))
