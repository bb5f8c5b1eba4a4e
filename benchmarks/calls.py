"""How many calls a second one client process gets answered, beside a bare FastAPI route on the same server."""

import asyncio
import json
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import uvloop

from benchmarks.fabric import fabric
from benchmarks.figures import Figure

TITLE = "Calls answered to one client process, SQLite"
_CONNECTIONS = 16
_ROUNDS = 5
_GOAL = 1000.0
_BARE = """
import sys
import uvicorn
from fastapi import FastAPI

app = FastAPI()

@app.get("/")
async def bare() -> dict[str, bool]:
    return {"ok": True}

uvicorn.run(app, port=int(sys.argv[1]), http="httptools", loop="uvloop", log_config=None, access_log=False)
"""
_DRAFT = {"app": "bench", "partitioner": "passthrough", "assembler": "passthrough"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """One request, as bytes, and where it goes."""

    name: str
    port: int
    request: bytes


def measure(*, quick: bool) -> list[Figure]:
    """Measure, all targets in turns."""
    seconds, rounds = (0.5, 2) if quick else (3.0, _ROUNDS)
    with fabric(runner="mock") as loom, _bare() as bare_port:
        port = urlsplit(loom.client.url).port or 80
        loom.push("app", "bench", {}, "print()")
        job_id = loom.draft(_DRAFT)
        key = json.dumps({"apiKey": loom.api_key}).encode()
        token = httpx.post(f"{loom.client.url}/v1/auth/access_token", content=key).json()["token"]
        floor = Target(name="bare route", port=bare_port, request=_request("GET", "/"))
        targets = [
            Target(
                name="GET job",
                port=port,
                request=_request("GET", f"/v1/customer/jobs/{job_id}", token=token),
            ),
            Target(
                name="POST access_token",
                port=port,
                request=_request("POST", "/v1/auth/access_token", body=key),
            ),
        ]
        rates: dict[str, list[float]] = {it.name: [] for it in (floor, *targets)}
        for turn in range(rounds + 1):
            for target in (floor, *targets):
                rate = uvloop.run(_rate(target, seconds))
                if turn:  # the first one warms all up
                    rates[target.name].append(rate)
    bare = statistics.median(rates[floor.name])
    note = f"{_CONNECTIONS} connections, {rounds} rounds of {seconds} s"
    return [
        Figure(
            name=it.name,
            value=statistics.median(rates[it.name]),
            unit="calls/s",
            floor=bare,
            floor_name="bare route",
            bound="at least",
            goal=_GOAL,
            note=note,
        )
        for it in targets
    ]


def _request(method: str, path: str, *, token: str = "", body: bytes = b"") -> bytes:
    lines = [f"{method} {path} HTTP/1.1", "Host: fabric", "Accept: application/json"]
    lines += [f"Authorization: {token}"] if token else []
    lines += ["Content-Type: application/json", f"Content-Length: {len(body)}"] if body else []
    return "\r\n".join([*lines, "", ""]).encode() + body


async def _rate(target: Target, seconds: float) -> float:
    """Return the answers per second that all connections together got."""
    until = time.perf_counter() + seconds
    counts = await asyncio.gather(*(_ask(target, until) for _ in range(_CONNECTIONS)))
    return sum(counts) / seconds


async def _ask(target: Target, until: float) -> int:
    """Ask again as soon as an answer is there."""
    reader, writer = await asyncio.open_connection("127.0.0.1", target.port)
    count = 0
    while time.perf_counter() < until:
        writer.write(target.request)
        head = await reader.readuntil(b"\r\n\r\n")
        if not head.startswith(b"HTTP/1.1 200"):
            raise RuntimeError(f"{target.name}: {head.splitlines()[0].decode()}")
        length = head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0]
        await reader.readexactly(int(length))
        count += 1
    writer.close()
    return count


@contextmanager
def _bare() -> Iterator[int]:
    """Serve the floor, with the server that the control plane uses; yield its port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    with tempfile.TemporaryDirectory(prefix="gridloom-bench-") as name:
        (Path(name) / "bare.py").write_text(_BARE)
        process = subprocess.Popen([sys.executable, f"{name}/bare.py", str(port)])
        try:
            while socket.socket().connect_ex(("127.0.0.1", port)):
                time.sleep(0.05)
            yield port
        finally:
            process.terminate()
            process.wait()
