"""Unit tests of a run's bounds."""

import os

from worker.runners.protocol import Limits
from worker.runners.rlimits import Rlimits, complete, rlimits_for, threads_of


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
