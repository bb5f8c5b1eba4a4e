"""Runs an app over many inputs at once and brings back what it made of each."""

import tarfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeAlias

from gridloom.client.answers.jobs import OnProgress, Output
from gridloom.client.calls.components import activate, app, push_component, template
from gridloom.client.calls.files import STEP_BYTES
from gridloom.client.calls.jobs import collect, create_job, run_job, upload_blocks, wait
from gridloom.client.steps import Json, Talk
from gridloom.errors import BadInput, ClientError, NotFound

Input: TypeAlias = Path | bytes | str

_BLOCK = tarfile.BLOCKSIZE
_PARTITIONER, _ASSEMBLER = "split", "passthrough"


@dataclass(frozen=True, slots=True, kw_only=True)
class Bundle:
    """Many inputs as one tar, made while it is sent; each is called by its number, so their order is certain."""

    inputs: Sequence[Input]
    sizes: Sequence[int]

    @classmethod
    def of(cls, inputs: Iterable[Input]) -> "Bundle":
        """Measure inputs: paths are files to be read, texts are sent as UTF-8.

        Raises:
            BadInput: when a path is no file.
        """
        taken = [it.encode() if isinstance(it, str) else it for it in inputs]
        return cls(inputs=taken, sizes=[_size(it) for it in taken])

    @property
    def size(self) -> int:
        """Bytes of the tar."""
        return sum(_BLOCK + size + -size % _BLOCK for size in self.sizes) + 2 * _BLOCK

    def blocks(self) -> Iterator[bytes]:
        """Yield the tar.

        Raises:
            BadInput: when a file has changed its size meanwhile.
        """
        for number, (source, size) in enumerate(zip(self.inputs, self.sizes, strict=True)):
            header = tarfile.TarInfo(f"{number:08d}")
            header.size = size
            yield header.tobuf(tarfile.GNU_FORMAT)
            read = 0
            for block in _blocks(source):
                read += len(block)
                yield block
            if read != size:
                raise BadInput(f"{source!r} changed while it was read")
            yield bytes(-size % _BLOCK)
        yield bytes(2 * _BLOCK)


def map_inputs(  # noqa: PLR0913 (one for each setting)
    app_or_template: str | Path,
    inputs: Iterable[Input],
    *,
    params: Mapping[str, Any] | None = None,
    partitioner: str = _PARTITIONER,
    partitioner_params: Mapping[str, Any] | None = None,
    assembler: str = _ASSEMBLER,
    assembler_params: Mapping[str, Any] | None = None,
    to: Path | None = None,
    timeout_s: float | None = None,
    on_progress: OnProgress | None = None,
) -> Talk[list[list[Output]]]:
    """Run an app once for each input and return the files that it made of each, in the order of the inputs.

    The app is a tag or a template's id, or the path of an app's folder, which is pushed and activated first. Inputs
    are the paths of files, bytes, or texts; `params` are the app's. Files are held in memory, or lie below `to`, in
    a folder for each input. The fabric aborts the job after `timeout_s` seconds. `on_progress` is told how the job
    is each time it is looked at. With a partitioner of one's own the lists are those of its chunks, with an
    assembler of one's own there is a single list: all that it delivers.

    Raises:
        ClientError: when the fabric refuses something, or the job does not become complete.
        BadInput: when an input or the app's folder can't be used.
    """
    bundle = Bundle.of(inputs)
    if not bundle.inputs:
        return []
    body = yield from _components(app_or_template, dict(params or {}))
    body |= {
        "partitioner": partitioner,
        "assembler": assembler,
        "dataDestination": {"dataSourceDescriptor": "bucket"},
        "name": f"map {app_or_template}",
    }
    one_each = partitioner == _PARTITIONER and partitioner_params is None
    by_chunk = assembler == _ASSEMBLER and assembler_params is None
    body["params"] |= {
        "partitioner": {"files": 1, "unpack": True} if one_each else dict(partitioner_params or {}),
        "assembler": {"by_chunk": True} if by_chunk else dict(assembler_params or {}),
    }
    if timeout_s is not None:
        body["config"] = body.get("config", {}) | {"jobTimeout": timeout_s}
    draft = yield from create_job(body)
    yield from upload_blocks(draft.id, "inputs.tar", bundle.size, bundle.blocks)
    yield from run_job(draft.id)
    ended = yield from wait(draft.id, on_progress)
    if ended.failure:
        raise ClientError(ended.failure)
    outputs = yield from collect(draft.id, to)
    return _by_chunk(outputs, ended.num_chunks) if by_chunk else [outputs]


def _components(wanted: str | Path, params: Json) -> Talk[Json]:
    """Return the app's tag, its parameters and settings, as a request for a job has them."""
    if isinstance(wanted, Path):
        pushed = yield from push_component("app", wanted)
        yield from activate("app", pushed.tag)
        return {"app": pushed.tag, "params": {"app": params}}
    try:
        yield from app(wanted)
    except ClientError as error:
        if error.status != NotFound.status:
            raise
    else:
        return {"app": wanted, "params": {"app": params}}
    try:
        found = yield from template(wanted)
    except ClientError as error:
        if error.status != NotFound.status:
            raise
        raise ClientError(f"there is neither an app nor a template {wanted}", status=error.status) from None
    proposed = found.params.get("app") or {}
    return {"app": found.app, "params": {"app": proposed | params}, "config": found.config}


def _by_chunk(outputs: Iterable[Output], chunks: int) -> list[list[Output]]:
    """Sort files into their chunks: the first folder of a name is the chunk's number."""
    found: list[list[Output]] = [[] for _ in range(chunks)]
    for it in outputs:
        chunk, _, name = it.name.partition("/")
        found[int(chunk)].append(replace(it, name=name))
    for files in found:
        files.sort(key=lambda it: it.name)
    return found


def _size(source: Input) -> int:
    if not isinstance(source, Path):
        return len(source)
    if not source.is_file():
        raise BadInput(f"{source} is not a file")
    return source.stat().st_size


def _blocks(source: Input) -> Iterator[bytes]:
    if isinstance(source, bytes):
        yield source
    elif isinstance(source, Path):
        with source.open("rb") as file:
            while block := file.read(STEP_BYTES):
                yield block
