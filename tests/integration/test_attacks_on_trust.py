"""Tasks that lie: about their results, their end, who they are, and what later tasks will find imported."""

import os
import signal
from types import SimpleNamespace

import pytest

from gridloom.errors import AttemptFailed, RunnerFailed
from gridloom.states import EndReason
from storage.folder import FolderStore
from worker.collect import CollectLimits, remove_tree
from worker.runners.protocol import Limits
from worker.steps.results import Results

CANARY = "root:*:" + os.urandom(8).hex()

PLANTS = {
    "a link to a file": "os.symlink({canary!r}, 'results/x')",
    "a link to shadow": "os.symlink('/etc/shadow', 'results/x')",
    "a link to an environment": "os.symlink('/proc/self/environ', 'results/x')",
    "a link to a descriptor": "os.symlink('/proc/self/fd/0', 'results/x')",
    "a link to a neighbour": "os.symlink({neighbour!r}, 'results/x')",
    "a relative link": "os.symlink('../../../../../../../../etc/shadow', 'results/x')",
    "a link in a folder": "os.makedirs('results/a'); os.symlink('/etc', 'results/a/b')",
    "a link in place of the folder": "os.rmdir('results'); os.symlink({folder!r}, 'results')",
    "a file in place of the folder": "os.rmdir('results'); write('results')",
    "no folder at all": "os.rmdir('results')",
    "a hard link": "write('x'); os.link('x', 'results/x')",
    "a fifo": "os.mkfifo('results/x')",
    "a socket": "os.chdir('results'); socket.socket(socket.AF_UNIX).bind('x')",
    "a sparse file of a terabyte": "os.truncate(os.open('results/x', os.O_CREAT | os.O_RDWR), 1 << 34)",
    "a folder of folders": "[(os.mkdir('x'), os.chdir('x')) for _ in range(400) if os.chdir('results' if _ == 0 else '.') is None]",
    "many files": "[write(f'results/{{it}}') for it in range(200)]",
    "a name of control characters": "write('results/\\x1b[2J\\n')",
    "a name that is no text": "write(b'results/\\xff')",
}


class Attempt:
    """What the step that collects results asks of an attempt."""

    def __init__(self, folder, store):
        limits = CollectLimits(files=100, total_bytes=1 << 20)
        self.shop = SimpleNamespace(result_limits=limits, store=store)
        self.folder, self.prefix = folder, "attempts/1"
        self.payloads, self.files = [], []

    def place(self, variable):
        return self.folder / "results"


@pytest.mark.parametrize("plant", PLANTS)
def test_results_that_point_elsewhere_bring_nothing(target, stage, tmp_path, plant):
    canary, neighbour = tmp_path / "canary", target.stage()
    canary.write_text(CANARY)
    (neighbour.folder / "x").write_text(CANARY)
    attempt = Attempt(stage.folder, FolderStore(tmp_path / "store"))
    stage.attack("os.mkdir('results')")
    assert (
        stage.gains(
            PLANTS[plant].format(
                canary=str(canary), neighbour=str(neighbour.folder / "x"), folder=str(neighbour.folder)
            )
        )
        == ""
    )
    with pytest.raises(AttemptFailed) as failure:
        Results().prepare(attempt)
    assert failure.value.reason is EndReason.BAD_OUTPUT
    stored = [it.read_bytes() for it in (tmp_path / "store").rglob("*") if it.is_file()]
    assert not any(CANARY.encode() in it for it in [*attempt.payloads, *stored])
    remove_tree(neighbour.folder)


LIES = {
    "an excuse": "told.tell(b'X', b'x' * 70000)",
    "modules": "told.tell(b'M', b'\\0'.join(b'evil%d' % it for it in range(9000)))",
    "odd modules": "told.tell(b'M', b'\\xff\\0\\0=\\0os; import x\\0../x\\0')",
    "an end": "told.tell(b'E', struct.pack('<qqqqq', 0, 0, 1 << 62, 1 << 62, 1 << 62))",
    "a length beyond": "told.memory[:4] = b'\\xff' * 4",
    "garbage": "told.memory[:] = b'\\xa5' * len(told.memory)",
}
FIND = """
frame = sys._getframe()
while frame and "told" not in frame.f_locals: frame = frame.f_back
told = frame.f_locals["told"]
"""


@pytest.mark.parametrize("lie", LIES)
def test_a_lie_to_the_agent_is_about_ones_own_attempt_alone(stage, lie):
    try:
        ended = stage.attack(f"{FIND}{LIES[lie]}\nos._exit(7)")
        reason, modules = ended.reason, ended.modules
        assert ended.cpu_s < 60
    except AttemptFailed as failure:
        reason, modules = failure.reason, ()
    assert reason is (EndReason.BAD_COMPONENT if lie == "an excuse" else EndReason.EXIT_NONZERO)
    assert not stage.slot.preload(modules[:50]).imported


def test_frames_on_every_descriptor_reach_nobody(stage):
    code = """
        frames = [struct.pack("<IcQ", len(body), kind, number) + body for kind in (b"E", b"X", b"H", b"I", b"K", b"R")
                  for number in range(5) for body in (b"", bytes(40), os.urandom(40))]
        frames += [struct.pack("<IcQ", 0xffffffff, b"E", 1), os.urandom(1 << 16)]
        for fd in range(64):
            for frame in frames:
                tries("", lambda: os.write(fd, frame) and None if fd not in (1, 2) else os.write(2, frame) and None)
                try: socket.socket(fileno=os.dup(fd)).sendmsg([frame], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, struct.pack("i", 1))])
                except OSError: pass
        os._exit(7)
    """
    ended = stage.attack(code)
    assert (ended.reason, ended.exit_code) == (EndReason.EXIT_NONZERO, 7)


def test_the_agents_parts_in_memory_are_a_copy(stage):
    code = """
        for it in gc.get_objects():
            if type(it).__name__ in ("Agent", "Spare", "Link", "Task", "Sandbox", "Told"):
                for name in list(getattr(it, "__dict__", ())):
                    held = getattr(it, name)
                    if isinstance(held, socket.socket) and held.fileno() >= 0: print(name)
                    if isinstance(held, int) and held > 2 and name not in ("pid",):
                        tries(name, lambda: os.write(held, bytes(50)) if os.readlink(f"/proc/self/fd/{held}") else None)
                    setattr(it, name, None)
    """
    ended = stage.attack(code)  # which takes the pieces that its own end needs
    assert (ended.reason, stage.heard.stdout) == (EndReason.EXIT_NONZERO, b"")


def test_an_agent_that_is_killed_costs_its_slot_and_no_more(target, open_stage):
    stage = open_stage()
    os.kill(stage.slot._link.pid, signal.SIGKILL)
    with pytest.raises(RunnerFailed, match="ended unexpectedly"):
        stage.run("exit 0")
    stage.slot.close()
    assert open_stage().say("print('well')") == "well\n"


def test_an_agent_that_is_stopped_costs_its_slot_and_no_more(target, open_stage):
    stage = open_stage()
    os.kill(stage.slot._link.pid, signal.SIGSTOP)
    ended = stage.run("exit 0", limits=Limits(timeout_s=0.2, memory_mib=96))
    assert ended.reason is EndReason.TIMEOUT
    assert stage.slot.memory_mib() == 0
    with pytest.raises(RunnerFailed, match="closed"):
        stage.run("exit 0")
    stage.slot.close()
    assert not stage.slot.folder.exists()


POISON = """
import builtins, io, json, os.path, site, socket, subprocess, sys, threading
json.loads = json.dumps = lambda *_: "evil"
os.path.join = os.listdir = subprocess.run = builtins.open = builtins.print = lambda *_, **__: "evil"
sys.modules["base64"] = sys.modules["string"] = json
sys.path[:] = ["/tmp"]
sys.meta_path.clear()
sys.path_hooks.clear()
sys.settrace(lambda *_: None)
threading.setprofile(lambda *_: None)
builtins.__import__ = None
"""
PLANT = """
import site
evil = "open('/tmp/evil', 'w'); import os; os.environ['EVIL'] = '1'"
cache, library = os.environ["CACHE"], "lib/python%d.%d/site-packages" % sys.version_info[:2]
for folder in (os.getcwd(), os.environ["TMPDIR"], cache, os.path.expanduser("~"), os.path.expanduser("~/.local/") + library,
               cache + "/" + library, cache + "/.local/" + library, sys.prefix + "/" + library, os.path.dirname(json.__file__),
               *site.getsitepackages(), site.getusersitepackages(), "/usr/lib/python3/dist-packages", "/usr/local/lib"):
    try: os.makedirs(folder, exist_ok=True)
    except OSError: continue
    for name in ("json.py", "base64.py", "sitecustomize.py", "usercustomize.py", "evil.pth", ".pythonrc", "pyvenv.cfg"):
        try: write(folder + "/" + name, "import sys; " * name.endswith(".pth") + evil)
        except OSError: pass
"""
CHECK = """
import base64, json, os, subprocess, sys
print(json.loads('[1]'), base64.b64encode(b"x"), os.path.join("a", "b"), "EVIL" in os.environ, os.path.exists("/tmp/evil"))
print(subprocess.run([sys.executable, "-c", "import json, os; print(json.loads('[2]'), 'EVIL' in os.environ)"], capture_output=True, text=True).stdout)
"""
HEALTHY = "[1] b'eA==' a/b False False\n[2] False\n\n"


@pytest.mark.parametrize("ahead", [(), ("json", "subprocess", "base64")], ids=["cold", "preloaded"])
def test_a_poisoned_module_is_the_poisoners_own(target, open_stage, ahead):
    stage = open_stage()
    assert stage.slot.preload(ahead).imported == ahead
    cache = target.grounds.user_caches / "owner"
    assert stage.run(POISON, name="main.py").succeeded
    assert stage.gains(PLANT, CACHE=str(cache)) == ""
    for after in (target.stage(stage.slot), open_stage(), open_stage(owner="other")):
        assert after.say(CHECK, CACHE=str(cache)) == HEALTHY
        assert after.say(CHECK, PYTHONSTARTUP=str(cache / ".pythonrc")) == HEALTHY
    stage.slot.preload(["string"])
    assert target.stage(stage.slot).say(CHECK) == HEALTHY
    for it in cache.iterdir():
        remove_tree(it)


def test_hostile_names_are_not_imported_ahead(target, open_stage):
    stage = open_stage()
    cache = target.grounds.user_caches / "owner"
    stage.say("open(__import__('os').environ['CACHE'] + '/evil.py', 'w').write('x = 1')", CACHE=str(cache))
    names = [
        "os; import x", "antigravity", "this", "evil", str(cache / "evil"), "..evil", ".", "", "json\n", "a" * 10000, "os.path.x",
        "idlelib.__main__", "turtledemo.__main__", "ensurepip.__main__", "__main__x", "=", "x=", "worker", "agent",
        "test.support.x", "json.tool.x", "é", "../evil", "ctypes.wintypes.x",
    ]  # fmt: skip
    done = stage.slot.preload(names)
    assert not {*done.imported} & {
        "os; import x",
        "this",
        "evil",
        str(cache / "evil"),
        "..evil",
        "worker",
        "agent",
        "idlelib.__main__",
    }
    assert stage.slot.preload(["json"]).imported == ("json",)
    assert target.stage(stage.slot).say(CHECK) == HEALTHY
    (cache / "evil.py").unlink()
