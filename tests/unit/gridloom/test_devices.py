"""A class is a routing key: coarse, but never one that a machine which holds the needs does not serve."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gridloom.devices import Capacity, DeviceClass, Needs, classes_within, device_class, slug

MODELS = ("NVIDIA A100-SXM4-40GB", "Tesla T4")
amounts = {"cores": st.floats(1, 512), "memory_mib": st.integers(1, 2**22)}
capacities = st.builds(Capacity, **amounts, gpus=st.lists(st.sampled_from(MODELS)).map(tuple))


@given(capacities, st.data())
def test_a_machine_that_holds_the_needs_serves_their_class(capacity, data):
    gpus = data.draw(st.sampled_from([(), *((it,) for it in capacity.gpus)]))
    needs = data.draw(
        st.builds(
            Needs,
            cores=st.floats(0.01, capacity.cores),
            memory_mib=st.integers(1, capacity.memory_mib),
            gpus=st.just(gpus),
        )
    )
    assert capacity.holds(needs)
    assert device_class(needs, capacity, "".join(gpus)) in set(classes_within(capacity))


@given(st.builds(Needs, **amounts))
def test_a_class_covers_its_needs_in_powers_of_two(needs):
    found = device_class(needs)
    assert found.cores >= needs.cores
    assert found.memory_gib * 1024 >= needs.memory_mib
    assert found.cores & (found.cores - 1) == found.memory_gib & (found.memory_gib - 1) == 0


@given(capacities)
def test_classes_are_listed_once_and_fit(capacity):
    found = list(classes_within(capacity))
    assert len(found) == len(set(found))
    assert all(it.cores <= capacity.cores for it in found)
    assert all(it.memory_gib == 1 or it.memory_gib * 1024 <= capacity.memory_mib for it in found)


@given(st.sampled_from(["", *map(slug, MODELS)]), st.integers(1, 999), st.integers(1, 999))
def test_a_queues_name_leads_back_to_its_class(gpu, cores, memory_gib):
    wanted = DeviceClass(cores=cores, memory_gib=memory_gib, gpu=gpu)
    assert DeviceClass.parse(wanted.queue) == wanted


@pytest.mark.parametrize("name", ["", "celery", "cpu.c1", "cpu.cx.m1", "gpu..c1.m1", "cpu.c1.m1\n"])
def test_another_queues_name_is_refused(name):
    with pytest.raises(ValueError, match="is not a device class queue"):
        DeviceClass.parse(name)


def test_models_are_compared_by_their_slugs():
    assert slug("NVIDIA A100-SXM4-40GB") == "nvidia-a100-sxm4-40gb"
    capacity = Capacity(cores=1, memory_mib=1024, gpus=("Tesla T4",))
    assert capacity.holds(Needs(gpus=("tesla-t4",)))
    assert not capacity.holds(Needs(gpus=("H200",)))
