"""Sorts more rows than fit into memory: sorted runs on disk, merged at the end."""

import heapq
import pickle
import tempfile
from operator import itemgetter

MOST_RUNS = 64
ROW_OVERHEAD = 400

by_key = itemgetter(0)


def sort(pairs, folder, *, descending: bool = False, memory_bytes: int = 64 << 20):
    """Return the rows of `(key, row)` pairs in the order of their keys, equal keys in the order they came.

    Runs are unnamed files in `folder`; about `memory_bytes` of rows are held at a time.
    """
    runs, held, size = [], [], 0
    for pair in pairs:
        held.append(pair)
        size += len(pair[1]) + ROW_OVERHEAD
        if size >= memory_bytes:
            held.sort(key=by_key, reverse=descending)
            runs.append(write_run(held, folder))
            held, size = [], 0
        if len(runs) == MOST_RUNS:
            runs = [write_run(merged(map(read_run, runs), descending), folder)]
    held.sort(key=by_key, reverse=descending)
    return (row for _, row in merged([*map(read_run, runs), held], descending))


def merged(runs, descending: bool):
    """Merge sorted runs into one sorted stream of pairs."""
    return heapq.merge(*runs, key=by_key, reverse=descending)


def write_run(pairs, folder):
    """Write sorted pairs to an unnamed file and return it."""
    run = tempfile.TemporaryFile(dir=folder)
    for pair in pairs:
        pickle.dump(pair, run, pickle.HIGHEST_PROTOCOL)
    return run


def read_run(run):
    """Yield the pairs of a run and close it."""
    with run:
        run.seek(0)
        while True:
            try:
                yield pickle.load(run)
            except EOFError:
                return
