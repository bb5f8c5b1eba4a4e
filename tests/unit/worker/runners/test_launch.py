"""Unit tests of launches and how they travel."""

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.runners.agent import Request
from worker.runners.launch import Launch, Rlimits, complete, encode, rlimits_for, threads_of
from worker.runners.protocol import Limits

TEXT = st.text(st.characters(blacklist_characters="\0", blacklist_categories=["Cs"]), max_size=20)
NAMES = st.text("ABC_", min_size=1, max_size=8)
BOUNDS = Rlimits(file_bytes=1, processes=2, data_bytes=3)


@given(st.lists(TEXT, min_size=1), st.dictionaries(NAMES, TEXT), st.lists(TEXT), TEXT)
def test_the_agent_reads_what_was_encoded(argv, env, staged, cwd):
    launch = Launch(argv=tuple(argv), env=env, cwd=cwd, staged=tuple(staged), uid=7)
    request = Request(encode(launch, BOUNDS))
    assert request.argv == [it.encode() for it in argv]
    assert request.env == {name.encode(): value.encode() for name, value in env.items()}
    assert request.staged == [it.encode() for it in staged]
    assert request.cwd == cwd.encode()
    assert (request.uid, request.file_bytes, request.processes, request.data_bytes) == (7, 1, 2, 3)


def test_a_nul_is_refused():
    with pytest.raises(ValueError, match="NUL"):
        encode(Launch(argv=("a\0b",), env={}, cwd="/"), BOUNDS)


def test_missing_limits_are_completed_and_a_missing_timeout_is_not():
    limits = complete(Limits(memory_mib=100))
    assert limits.memory_mib == 100
    assert min(limits.processes, limits.file_mib) > 0
    assert limits.timeout_s is None


def test_a_cgroup_takes_over_from_rlimits():
    limits = complete(Limits(memory_mib=1, processes=10, file_mib=1))
    assert rlimits_for(limits, memory_by_cgroup=True, others=None) == Rlimits(
        file_bytes=1 << 20, processes=0, data_bytes=0
    )
    assert rlimits_for(limits, memory_by_cgroup=False, others=5) == Rlimits(
        file_bytes=1 << 20, processes=15, data_bytes=1 << 20
    )


def test_a_users_threads_are_counted():
    assert threads_of(os.geteuid()) >= 1
    assert threads_of(2**31 - 5) == 0
