"""Unit tests of the agent's last duty: nothing outlives a worker that was killed."""

import subprocess
import sys
import time
from pathlib import Path

from tests.fixtures.slots import gone

HOLDER = """
import sys
from pathlib import Path
from tests.fixtures.slots import make_grounds
from worker.runners.process import ProcessRunner
from worker.runners.protocol import Execution, SlotKey

class Nowhere:
    def write(self, stream, data): pass

script = Path(sys.argv[1])
slot = ProcessRunner(make_grounds(script.parent / "worker")).open_slot(SlotKey(owner=""))
slot.run(Execution(label="x", component=script.parent, script=script, env={}, folders=()), Nowhere())
"""
SCRIPT = "echo $PPID > agent.new; mv agent.new agent\n(setsid sleep 60 & echo $! > daemon.new; mv daemon.new daemon)\nsleep 60\n"


def test_a_killed_worker_takes_agent_script_and_daemons_along(tmp_path):
    script = tmp_path / "main.sh"
    script.write_text(SCRIPT)
    holder = subprocess.Popen([sys.executable, "-c", HOLDER, str(script)], cwd=Path(__file__).parents[4])
    deadline = time.monotonic() + 20
    while not (tmp_path / "daemon").exists():
        assert time.monotonic() < deadline
        time.sleep(0.01)
    pids = [int((tmp_path / name).read_text()) for name in ("agent", "daemon")]
    holder.kill()
    holder.wait()
    assert [gone(pid) for pid in pids] == [True, True]
