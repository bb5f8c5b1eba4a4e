"""What a runner costs per script, beside a bare spawn of the same script."""

import statistics
import tempfile
from contextlib import ExitStack
from pathlib import Path

from benchmarks.errand import TRIVIAL, Errand
from benchmarks.figures import Figure
from benchmarks.rivals import BareSubprocess
from benchmarks.turns import Timed, in_turns
from benchmarks.warm import Site, Warm
from worker.runners.bubblewrap import BubblewrapRunner
from worker.runners.cgroups import Cgroups
from worker.runners.process import ProcessRunner

TITLE = "One script through a warm slot of each runner"
_SHELL = 'set -- $(cat "$TASK_DIR/data.bin"); echo "$#" >"$TASK_RESULTS_DIR/words.txt"; echo done\n'
_SCRIPTS = {"main.py": TRIVIAL, "main.sh": _SHELL}
_SPAWN = "bare spawn"
_ROUNDS = 50


def measure(*, quick: bool) -> list[Figure]:
    """Measure, the variants in turns."""
    cgroups = Cgroups.detect()
    figures: list[Figure] = []
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="gl-bench-")))
        folder.chmod(0o755)
        sites = {
            "process": Site(folder / "process", lambda grounds: ProcessRunner(grounds, cgroups=cgroups)),
            "bubblewrap": Site(
                folder / "bubblewrap", lambda grounds: BubblewrapRunner(grounds, cgroups=cgroups)
            ),
        }
        pools = {name: stack.enter_context(stack.enter_context(site).pool()) for name, site in sites.items()}
        for file, code in _SCRIPTS.items():
            bare = BareSubprocess(Errand.write(folder / file / "code", code, file), folder / file)
            variants: dict[str, Timed] = {
                name: Warm(pools[name], site.errand(code, file)).run_s for name, site in sites.items()
            }
            times = in_turns({_SPAWN: bare.run_s} | variants, 10 if quick else _ROUNDS)
            floor = statistics.median(times.pop(_SPAWN))
            figures += [_figure(f"{file}, {name}", values, floor) for name, values in times.items()]
    return figures


def _figure(name: str, times_ms: list[float], floor: float) -> Figure:
    return Figure(
        name=name,
        value=statistics.median(times_ms),
        unit="ms",
        floor=floor,
        floor_name=_SPAWN,
        note=f"median of {len(times_ms)}, least {min(times_ms):.2f}",
    )
