"""`python -m benchmarks [NAME...] [--quick] [--json]`: measure and print; figures are reported, not asserted.

GRIDLOOM_PYTHON names another interpreter for the scripts of the fabric and of what it is compared with.
"""

import argparse
import json
import os
import platform
from importlib import import_module

from benchmarks.figures import Figure, show

NAMES = (
    "runner",
    "containers",
    "leftovers",
    "thousand",
    "latency",
    "hundred_thousand",
    "events",
    "idle",
    "calls",
    "log_search",
    "lists",
    "data_path",
    "help",
)


def main() -> None:
    """Run the named benchmarks, all by default."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(NAMES))
    parser.add_argument(
        "--quick", action="store_true", help="few rounds and small jobs, to see that they run"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    options = parser.parse_args()
    if unknown := sorted(set(options.names) - set(NAMES)):
        parser.error(f"no benchmark {unknown[0]}; there are {', '.join(NAMES)}")
    found: dict[str, list[Figure]] = {}
    loads: dict[str, str] = {}
    if not options.json:
        print(
            f"{os.cpu_count()} cores, Python {platform.python_version()}; medians; load is that at the start"
        )
    for name in options.names or NAMES:
        module = import_module(f"benchmarks.{name}")
        loads[name] = _load()
        found[name] = module.measure(quick=options.quick)
        if not options.json:
            show(f"{name}: {module.TITLE} (load {loads[name]} before, {_load()} after)", found[name])
    if options.json:
        document = {
            name: {"load": loads[name], "figures": [figure.as_json() for figure in figures]}
            for name, figures in found.items()
        }
        print(json.dumps({"cores": os.cpu_count(), "benchmarks": document}, indent=2))


def _load() -> str:
    return f"{os.getloadavg()[0]:.1f}"


if __name__ == "__main__":
    main()
