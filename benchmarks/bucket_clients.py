"""A client of a bucket at one errand, in a process of its own: prints the seconds that it took and its peak memory."""

import json
import os
import shutil
import subprocess
import sys
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, Self

import boto3
import obstore
from boto3.s3.transfer import TransferConfig
from botocore.config import Config
from obstore.store import S3Store

from gridloom.buckets import BucketPlace
from gridloom.net_guard import PrivateHosts
from storage.buckets.bucket import Bucket

AT_A_TIME = 16
REGION = "us-east-1"
WARM_UP = "warm-up"
_ROOT = Path(__file__).parents[1]
_PART = 8 << 20
_TRANSFER = TransferConfig(max_concurrency=AT_A_TIME)


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """A server and the keys to it."""

    endpoint: str
    access_key: str
    secret_key: str

    def client(self) -> Any:
        """Return a boto3 client."""
        return boto3.client(
            "s3",
            endpoint_url=self.endpoint,
            region_name=REGION,
            aws_access_key_id=self.access_key,
            aws_secret_access_key=self.secret_key,
            config=Config(
                signature_version="s3v4",
                s3={"addressing_style": "path"},
                request_checksum_calculation="when_required",
                response_checksum_validation="when_required",
                max_pool_connections=2 * AT_A_TIME,
            ),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Errand:
    """Objects to bring up from copies of one file, or down into a folder; `size` in bytes."""

    direction: Literal["up", "down"]
    bucket: str
    path: Path
    count: int
    size: int

    @property
    def keys(self) -> list[str]:
        """The objects' keys."""
        return [f"{self.size}-{number}" for number in range(self.count)]

    def file(self, key: str) -> Path:
        """Return where an object's bytes come from or go to."""
        return self.path if self.direction == "up" else self.path / key


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """What an errand took."""

    wall_s: float
    peak_mb: float

    @classmethod
    def by(cls, client: str, access: Access, errand: Errand) -> Self:
        """Send a client of its own process."""
        order = json.dumps({"access": asdict(access), "errand": asdict(errand)}, default=str)
        command = [sys.executable, "-m", "benchmarks.bucket_clients", client, order]
        done = subprocess.run(command, cwd=_ROOT, stdout=subprocess.PIPE, check=True)
        return cls(**json.loads(done.stdout))


class Client(ABC):
    """Moves objects between a bucket and files."""

    def __init__(self, access: Access, errand: Errand) -> None:
        self._access, self._errand, self._bucket = access, errand, errand.bucket

    def run_s(self) -> float:
        """Run the errand; return the seconds that it took."""
        self._warm_up()
        move = self._up if self._errand.direction == "up" else self._down
        began = time.perf_counter()
        with ThreadPoolExecutor(AT_A_TIME) as threads:
            for _ in threads.map(lambda key: move(key, self._errand.file(key)), self._errand.keys):
                pass
        return time.perf_counter() - began

    @abstractmethod
    def _warm_up(self) -> None:
        """Fetch a small object."""

    @abstractmethod
    def _up(self, key: str, path: Path) -> None:
        """Store a file."""

    @abstractmethod
    def _down(self, key: str, path: Path) -> None:
        """Fetch an object into a new file."""


class Fabric(Client):
    """The fabric's own seam."""

    @cached_property
    def _own(self) -> Bucket:
        access = self._access
        place = BucketPlace(
            kind="aws",
            bucket=self._bucket,
            endpoint=access.endpoint,
            access_key=access.access_key,
            secret_key=access.secret_key,
        )
        return Bucket(place, PrivateHosts.parse("127.0.0.1"), transfers=AT_A_TIME)

    def _warm_up(self) -> None:
        self._own.read(WARM_UP)

    def _up(self, key: str, path: Path) -> None:
        with path.open("rb") as file:
            self._own.upload(key, file.fileno(), self._errand.size)

    def _down(self, key: str, path: Path) -> None:
        with path.open("wb") as file:
            self._own.download(key, file.fileno(), self._errand.size)


class BotoCalls(Client):
    """boto3's single calls."""

    @cached_property
    def _boto(self) -> Any:
        return self._access.client()

    def _warm_up(self) -> None:
        self._boto.get_object(Bucket=self._bucket, Key=WARM_UP)["Body"].read()

    def _up(self, key: str, path: Path) -> None:
        with path.open("rb") as file:
            self._boto.put_object(Bucket=self._bucket, Key=key, Body=file)

    def _down(self, key: str, path: Path) -> None:
        body = self._boto.get_object(Bucket=self._bucket, Key=key)["Body"]
        with path.open("wb") as file:
            shutil.copyfileobj(body, file, 1 << 20)


class BotoTransfers(BotoCalls):
    """boto3's `upload_file` and `download_file`, in parts where the object is large."""

    def _up(self, key: str, path: Path) -> None:
        self._boto.upload_file(str(path), self._bucket, key, Config=_TRANSFER)

    def _down(self, key: str, path: Path) -> None:
        self._boto.download_file(self._bucket, key, str(path), Config=_TRANSFER)


class Obstore(Client):
    """obstore alone, in parts where the object is large."""

    @cached_property
    def _store(self) -> S3Store:
        return S3Store(
            self._bucket,
            endpoint=self._access.endpoint,
            region=REGION,
            access_key_id=self._access.access_key,
            secret_access_key=self._access.secret_key,
            client_options={"allow_http": True},
        )

    def _warm_up(self) -> None:
        obstore.get(self._store, WARM_UP).bytes()

    def _up(self, key: str, path: Path) -> None:
        obstore.put(self._store, key, path, chunk_size=_PART, max_concurrency=AT_A_TIME)

    def _down(self, key: str, path: Path) -> None:
        with path.open("wb") as file, ThreadPoolExecutor(AT_A_TIME) as threads:
            if self._errand.size <= _PART:
                file.write(obstore.get(self._store, key).bytes())
                return
            starts = range(0, self._errand.size, _PART)
            for _ in threads.map(lambda start: self._part(key, start, file.fileno()), starts):
                pass

    def _part(self, key: str, start: int, fd: int) -> None:
        length = min(_PART, self._errand.size - start)
        os.pwrite(fd, obstore.get_range(self._store, key, start=start, length=length), start)


class Curl(BotoCalls):
    """The command `curl`, with links that were signed before."""

    def run_s(self) -> float:
        """Run the errand; return the seconds that it took."""
        call = "put_object" if self._errand.direction == "up" else "get_object"
        option = "upload-file" if self._errand.direction == "up" else "output"
        lines = []
        for key in self._errand.keys:
            url = self._boto.generate_presigned_url(call, Params={"Bucket": self._bucket, "Key": key})
            lines.append(f'url = "{url}"\n{option} = "{self._errand.file(key)}"\n')
        command = ["curl", "--no-progress-meter", "--fail", "--parallel"]
        command += ["--parallel-max", str(AT_A_TIME), "--config", "-"]
        began = time.perf_counter()
        subprocess.run(command, input="".join(lines), text=True, check=True, stdout=subprocess.DEVNULL)
        return time.perf_counter() - began


CLIENTS: Mapping[str, Callable[[Access, Errand], Client]] = {
    "gridloom": Fabric,
    "boto3 files": BotoTransfers,
    "boto3 calls": BotoCalls,
    "obstore": Obstore,
    "curl": Curl,
}


def _main(client: str, order: str) -> None:
    orders = json.loads(order)
    errand = orders["errand"]
    took_s = CLIENTS[client](
        Access(**orders["access"]), Errand(**errand | {"path": Path(errand["path"])})
    ).run_s()
    # Not getrusage: it counts what the parent had before this program took the process over.
    status = Path("/proc/self/status").read_text()
    peak_kib = int(status.partition("VmHWM:")[2].split(maxsplit=1)[0])
    print(json.dumps(asdict(Taken(wall_s=took_s, peak_mb=peak_kib * 1024 / 1e6))))


if __name__ == "__main__":
    _main(*sys.argv[1:])
