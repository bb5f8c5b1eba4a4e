"""`gridloom demo`: a real job on a fabric that lives as long as it."""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from cli.access import PATIENCE_S, Access
from cli.drafts import TEMPORARY_BUCKET, Draft, make_job
from cli.fabric import Runner
from cli.output import AsJson, complain, say, show
from cli.progress import job_progress, stage_times, transfer_progress
from cli.supervisor import bound_to_parent
from cli.templates import read_template
from cli.waiting import fetch_results
from gridloom.errors import GridloomError, SetupFailed
from gridloom.local_fabric import read_credentials

if TYPE_CHECKING:
    from gridloom.client import Client, Job

_STOP_WITHIN_S = 12.0
_LOG_LINES = 40
DEMO_REPORT = "report.txt"  #: as the demo's template names it
_REPORT_LINES, _LINE_CHARS = 15, 100


def demo(
    output: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Where the result goes; a fresh folder by default.")
    ] = None,
    *,
    slots: Annotated[int, typer.Option(min=0, help="Tasks at a time; 0: the machine's cores.")] = 0,
    runner: Annotated[Runner, typer.Option(help="How scripts run.")] = "auto",
    keep: Annotated[bool, typer.Option("--keep", help="Keep the fabric's temporary folder.")] = False,
    as_json: AsJson = False,
) -> None:
    """Start a fabric in a temporary folder, run a job over the sources of Python's standard library, stop it all.

    Example: gridloom demo --output report
    """
    signal.signal(signal.SIGTERM, _interrupt)
    signal.signal(signal.SIGHUP, _interrupt)
    result = _fresh_folder(output)
    work = Path(tempfile.mkdtemp(prefix="gridloom-demo-"))
    try:
        with (
            _fabric(work, slots, runner, quiet=as_json) as access,
            access.client(patience_s=PATIENCE_S) as client,
        ):
            ended = _run_job(client, work, result, quiet=as_json)
        document = {"job": ended.raw, "output": str(result)}
        show(document, _summary(ended, result), as_json=as_json)
    except GridloomError as error:
        _print_log(work / "up.log")
        complain(error.message)
        raise typer.Exit(1) from None
    finally:
        with suppress(OSError):
            result.rmdir()  # only when it stayed empty
        if keep:
            typer.echo(f"kept: {work}", err=True)
        else:
            shutil.rmtree(work, ignore_errors=True)


@contextmanager
def _fabric(work: Path, slots: int, runner: str, *, quiet: bool) -> Iterator[Access]:
    """Run `gridloom up` on a folder below `work` and a free port."""
    if not quiet:
        say("Starting a fabric in a temporary folder")
    data_dir = work / "fabric"
    command = [sys.executable, "-P", "-m", "cli.main", "up", "--data-dir", str(data_dir), "--port", "0"]
    command += ["--slots", str(slots), "--runner", runner, "--no-remember", "--json"]
    # Settings of another fabric must not leak into this one.
    env = {name: value for name, value in os.environ.items() if not name.startswith("GRIDLOOM_")}
    with (
        (work / "up.log").open("wb") as log,
        subprocess.Popen(
            command,
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=log,
            start_new_session=True,  # Ctrl-C reaches the demo alone, which then stops the fabric
            preexec_fn=bound_to_parent(signal.SIGTERM),  # noqa: PLW1509 (this process has one thread)
        ) as process,
    ):
        try:
            assert process.stdout is not None
            ready = _read_ready(process.stdout)
            if not quiet:
                say(f"Ready on {ready['url']}, runner {ready['runner']}")
            yield Access(url=ready["url"], api_key=read_credentials(data_dir)["apiKey"])
        finally:
            _stop(process)


def _read_ready(stdout: IO[bytes]) -> dict[str, Any]:
    line = stdout.readline()
    if not line:
        raise SetupFailed("the fabric did not start")
    ready: dict[str, Any] = json.loads(line)
    return ready


def _run_job(client: "Client", work: Path, result: Path, *, quiet: bool) -> "Job":
    from engines.demo import DEMO_APP, DEMO_TEMPLATE, collect_stdlib, write_demo

    folder, source = work / "app", work / "stdlib.txt"
    write_demo(folder)
    size = collect_stdlib(source)
    client.push_component("app", folder)
    client.push_template(read_template(folder / "template.json"))
    client.activate("app", DEMO_APP)
    if not quiet:
        say(f"Counting words in the sources of Python's standard library, {size / 1e6:.0f} MB")
    draft = Draft(origin=DEMO_TEMPLATE, name="Demo", file=source, destination=TEMPORARY_BUCKET)
    with transfer_progress("Uploading", size, quiet=quiet) as moved:
        job_id = str(make_job(client, draft, moved)["id"])
    client.run_job(job_id)
    with job_progress(quiet=quiet) as progress:
        ended = client.wait(job_id, progress)
    if ended.failure:
        raise SetupFailed(ended.failure)
    fetch_results(client, job_id, result, quiet=quiet)
    return ended


def _summary(ended: "Job", result: Path) -> str:
    times = "\n".join(f"  {name:<18}{seconds:8.2f} s" for name, seconds in stage_times(ended))
    report = result / DEMO_REPORT
    lines = [line[:_LINE_CHARS] for line in report.read_text().splitlines()[:_REPORT_LINES]]
    return "\n".join([f"Result: {result}", "", *lines, "", "Time in each stage:", times, "", "Complete"])


def _fresh_folder(output: Path | None) -> Path:
    """Return where the result goes: `output`, else a new folder here, else one among the temporary files."""
    if output:
        folder = output.expanduser().absolute()
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise SetupFailed(f"can't make {folder}: {error.strerror}") from None
        return folder
    for number in range(1, 1000):
        folder = Path.cwd() / ("gridloom-demo-result" if number == 1 else f"gridloom-demo-result-{number}")
        try:
            folder.mkdir()
        except FileExistsError:
            continue
        except OSError:  # the current folder can't be written to
            break
        return folder
    return Path(tempfile.mkdtemp(prefix="gridloom-demo-result-"))


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(_STOP_WITHIN_S)
    except subprocess.TimeoutExpired:
        process.kill()


def _print_log(log: Path) -> None:
    if log.is_file():
        lines = log.read_text(errors="replace").splitlines()[-_LOG_LINES:]
        sys.stderr.write("\n".join([*lines, ""]))


def _interrupt(*_: object) -> NoReturn:
    raise KeyboardInterrupt
