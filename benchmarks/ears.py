"""Many listeners in one process: `python -m benchmarks.ears HOST PORT TOKEN NUMBER`; says `ready`, then waits for a line
and prints what they heard. They parse as little as they can, or they would be what is measured."""

import asyncio
import json
import re
import resource
import sys
import time
from datetime import datetime

_AT = re.compile(rb'"state":"\w+","stateTimestamps":\{"\w+":"([^"]+)"')
_COMPLETED = b'"state":"Completed"'
_AT_ONCE = 50
_TICK_S = 0.05
_FILES = 8_192


class Ear(asyncio.Protocol):
    """One open stream; keeps how late the oldest event of each chunk came."""

    def __init__(self, request: bytes) -> None:
        self._request, self._rest = request, b""
        self.heard = asyncio.Event()
        self.delays_ms: list[float] = []
        self.completed = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ask for the events."""
        assert isinstance(transport, asyncio.Transport)
        transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        """Count the events that are whole."""
        now = time.time()
        whole, gap, self._rest = (self._rest + data).rpartition(b"\n\n")
        if not gap:
            return
        if b"event: ping" in whole:
            self.heard.set()
        self.completed += whole.count(_COMPLETED)
        if oldest := _AT.search(whole):
            committed = datetime.fromisoformat(oldest[1].decode()).timestamp()
            self.delays_ms.append((now - committed) * 1e3)


async def _listen(host: str, port: int, token: str, number: int) -> None:
    request = f"GET /v1/customer/events HTTP/1.1\r\nHost: {host}\r\nAuthorization: {token}\r\n\r\n".encode()
    ears = [Ear(request) for _ in range(number)]
    loop = asyncio.get_running_loop()
    for start in range(0, number, _AT_ONCE):
        some = ears[start : start + _AT_ONCE]
        await asyncio.gather(*(loop.create_connection(lambda ear=ear: ear, host, port) for ear in some))
        await asyncio.gather(*(ear.heard.wait() for ear in some))
    print("ready", flush=True)
    lateness_ms: list[float] = []
    clock = asyncio.create_task(_watch_clock(lateness_ms))
    await loop.run_in_executor(None, sys.stdin.readline)
    delays = [delay for ear in ears for delay in ear.delays_ms]
    clock.cancel()
    completed = sum(ear.completed for ear in ears)
    print(json.dumps({"delays_ms": delays, "completed": completed, "lateness_ms": lateness_ms}))


async def _watch_clock(lateness_ms: list[float]) -> None:
    while True:
        due = time.perf_counter() + _TICK_S
        await asyncio.sleep(_TICK_S)
        lateness_ms.append((time.perf_counter() - due) * 1e3)


def main() -> None:
    """Listen as the command line says."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _FILES if hard == resource.RLIM_INFINITY else min(_FILES, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    host, port, token, number = sys.argv[1:]
    asyncio.run(_listen(host, int(port), token, int(number)))


if __name__ == "__main__":
    main()
