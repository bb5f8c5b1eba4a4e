"""Objects to and from a bucket of a SeaweedFS on this machine: the fabric's seam beside the clients it may use."""

import filecmp
import os
import random
import shutil
import statistics
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import uuid4

from benchmarks.bucket_clients import CLIENTS, WARM_UP, Access, Errand, Taken
from benchmarks.figures import Bound, Figure
from tests.fixtures.weed import ACCESS_KEY, SECRET_KEY, running_weed

TITLE = "Objects up to a bucket and down from it, each client in a process of its own"
_SMALL = 100_000
_PEAK_MB = 200
_BASE = "boto3 files"
_OWN = "gridloom"
_GOALS = {"up": 3.0, "down": 6.0}
_BLOCK = 1 << 20
Taking = dict[str, list[Taken]]


def measure(*, quick: bool) -> list[Figure]:
    """Measure small objects and a large one, the clients in turns."""
    count, large, rounds = (200, 64 << 20, 1) if quick else (2_000, 1 << 30, 3)
    figures = []
    with tempfile.TemporaryDirectory(prefix="gl-bench-") as name:
        folder = Path(name)
        (folder / "weed").mkdir()
        with running_weed(folder / "weed") as port:
            access = Access(endpoint=f"http://127.0.0.1:{port}", access_key=ACCESS_KEY, secret_key=SECRET_KEY)
            site = _Site(folder, access)
            small = site.turns(count, _SMALL, rounds)
            big = site.turns(1, large, min(rounds, 2))
        for direction, goal in _GOALS.items():
            figures += _rates(f"{count:,} of 100 kB {direction}", "objects/s", count, small[direction], goal)
        for direction in _GOALS:
            figures += _rates(f"{large >> 20:,} MiB {direction}", "MB/s", large / 1e6, big[direction], None)
    return figures


class _Site:
    """A server and the files on both sides."""

    def __init__(self, folder: Path, access: Access) -> None:
        self._folder, self._access, self._boto = folder, access, access.client()
        self._clients = [it for it in CLIENTS if it != "curl" or shutil.which(it)]

    def turns(self, count: int, size: int, rounds: int) -> dict[str, Taking]:
        """Return what each client took up and down, one turn each a round in changing order."""
        source = self._folder / "source"
        with source.open("wb") as file:
            for start in range(0, size, _BLOCK):
                file.write(os.urandom(min(_BLOCK, size - start)))
        taken: dict[str, Taking] = {way: {it: [] for it in self._clients} for way in ("up", "down")}
        order = random.Random(1)
        for _ in range(rounds):
            order.shuffle(self._clients)
            for client in self._clients:
                up, down = self._there_and_back(client, source, count, size)
                taken["up"][client].append(up)
                taken["down"][client].append(down)
        return taken

    def _there_and_back(self, client: str, source: Path, count: int, size: int) -> tuple[Taken, Taken]:
        bucket, target = f"b-{uuid4().hex}", self._folder / "target"
        self._boto.create_bucket(Bucket=bucket)
        self._boto.put_object(Bucket=bucket, Key=WARM_UP, Body=b"-")  # makes the bucket's first volume
        target.mkdir()
        errand = Errand(direction="up", bucket=bucket, path=source, count=count, size=size)
        print(f"  {count:,} of {size:,} bytes: {client}", file=sys.stderr, flush=True)
        up = Taken.by(client, self._access, errand)
        down = Taken.by(client, self._access, replace(errand, direction="down", path=target))
        files = list(target.iterdir())
        if len(files) != count or not all(filecmp.cmp(source, it, shallow=False) for it in files):
            raise RuntimeError(f"{client} brought back something else")
        shutil.rmtree(target)
        self._empty(bucket)
        return up, down

    def _empty(self, bucket: str) -> None:
        pages: Any = self._boto.get_paginator("list_objects_v2").paginate(Bucket=bucket)
        for page in pages:
            keys = [{"Key": it["Key"]} for it in page.get("Contents", ())]
            self._boto.delete_objects(Bucket=bucket, Delete={"Objects": keys})
        self._boto.delete_bucket(Bucket=bucket)


def _rates(name: str, unit: str, amount: float, taken: Taking, goal: float | None) -> list[Figure]:
    """Return our rate beside boto3's, where `goal` is for, or else is for the best of the others; and our memory."""
    rates = {it: amount / statistics.median(turn.wall_s for turn in turns) for it, turns in taken.items()}
    best = max((it for it in rates if it != _OWN), key=lambda it: rates[it])
    others = ", ".join(f"{it} {rates[it]:.0f}" for it in rates if it != _OWN)
    goals: dict[str, tuple[str, float | None]] = {
        "beside boto3's files": (_BASE, goal),
        "beside the best": (best, None if goal else 0.95),
    }
    bound: Bound = "at least"
    figures = [
        Figure(
            name=f"{name}, {which}",
            value=rates[_OWN],
            unit=unit,
            floor=rates[floor],
            floor_name=floor,
            bound=bound,
            goal=wanted,
            judges="ratio",
            note=f"{len(taken[_OWN])} rounds; {others}" if floor == _BASE else "",
        )
        for which, (floor, wanted) in goals.items()
    ]
    peak = Figure(
        name=f"{name}, peak memory (RSS)",
        value=max(it.peak_mb for it in taken[_OWN]),
        unit="MB",
        floor=max(it.peak_mb for it in taken[_BASE]),
        floor_name=_BASE,
        goal=_PEAK_MB,
    )
    return [*figures, peak]
