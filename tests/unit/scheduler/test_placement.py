"""Tasks go to a queue that every fitting machine serves, on the GPU that its user wants most."""

from hypothesis import given
from hypothesis import strategies as st

from gridloom.devices import Capacity, DeviceClass, Needs, classes_within
from scheduler.placement import Machine, NoPlace, Placement, place

MODELS = ("NVIDIA A100-SXM4-40GB", "Tesla T4", "NVIDIA H200")
memory = st.integers(64, 2**20)
wishes = st.builds(
    Needs,
    cores=st.floats(0.1, 128),
    memory_mib=memory,
    gpus=st.lists(st.sampled_from(MODELS), unique=True).map(tuple),
)
machines = st.builds(
    Machine,
    capacity=st.builds(
        Capacity,
        cores=st.floats(1, 128),
        memory_mib=memory,
        gpus=st.lists(st.sampled_from(MODELS), max_size=3).map(tuple),
    ),
    slots=st.integers(1, 64),
)


def machine(cores=4, memory_mib=8192, gpus=(), slots=4):
    return Machine(capacity=Capacity(cores=cores, memory_mib=memory_mib, gpus=gpus), slots=slots)


@given(wishes, st.lists(machines), st.booleans())
def test_every_machine_that_fits_can_serve_the_queue(needs, machines, clamp):
    placed = place(needs, machines, clamp=clamp)
    if isinstance(placed, NoPlace):
        assert placed.final == bool(machines)
        assert not any(it.capacity.holds(needs) for it in machines)
        return
    fitting = [it for it in machines if it.capacity.holds(placed.needs)]
    wanted = DeviceClass.parse(placed.queue)
    assert fitting
    assert all(wanted in set(classes_within(it.capacity)) for it in fitting)
    assert placed.slots == sum(it.slots for it in fitting)
    assert placed.warning == "" or clamp


@given(wishes, st.lists(machines, min_size=1))
def test_with_clamping_everything_has_a_place(needs, machines):
    assert isinstance(place(needs, machines, clamp=True), Placement)


def test_the_first_model_that_a_live_machine_has_is_taken():
    fleet = [machine(gpus=("Tesla T4",)), machine(gpus=("NVIDIA H200",), slots=2)]
    placed = place(Needs(gpus=("A100", "nvidia h200", "Tesla T4")), fleet, clamp=False)
    assert placed.queue.startswith("gpu.nvidia-h200.")
    assert placed.needs.gpus == ("nvidia h200",)
    assert placed.slots == 2


def test_a_model_on_a_machine_that_is_too_small_is_passed_over():
    fleet = [machine(cores=1, gpus=("NVIDIA H200",)), machine(cores=8, gpus=("Tesla T4",))]
    placed = place(Needs(cores=4, gpus=("NVIDIA H200", "Tesla T4")), fleet, clamp=False)
    assert placed.queue == "gpu.tesla-t4.c4.m1"


def test_unlike_machines_share_a_class_that_the_smallest_of_them_serves():
    placed = place(Needs(cores=24), [machine(cores=24), machine(cores=64), machine(cores=8)], clamp=False)
    assert placed.queue == "cpu.c16.m1"
    assert placed.slots == 8


def test_without_a_machine_a_job_waits():
    assert place(Needs(), [], clamp=True) == NoPlace(why="no worker is connected", final=False)


def test_what_no_machine_has_is_said_with_what_they_have():
    refused = place(Needs(cores=8, memory_mib=1024, gpus=("H200",)), [machine()], clamp=False)
    assert refused.final
    assert refused.why == (
        "no connected machine has 8 CPU, 1 GB, GPU H200 (the largest have 4 CPU, 8.0 GB, no GPU)"
    )


def test_clamped_needs_are_those_of_the_largest_machine_and_say_so():
    placed = place(Needs(cores=64, memory_mib=1024), [machine(), machine(cores=2)], clamp=True)
    assert placed.needs == Needs(cores=4, memory_mib=1024)
    assert "64 CPU" in placed.warning
    assert placed.queue == "cpu.c4.m1"
