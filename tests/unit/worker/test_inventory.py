import pynvml
import pytest

from worker import inventory


@pytest.fixture
def nvml(monkeypatch):
    def install(*names):
        monkeypatch.setattr(pynvml, "nvmlInit", lambda: None)
        monkeypatch.setattr(pynvml, "nvmlShutdown", lambda: None)
        monkeypatch.setattr(pynvml, "nvmlDeviceGetCount", lambda: len(names))
        monkeypatch.setattr(pynvml, "nvmlDeviceGetHandleByIndex", names.__getitem__)
        monkeypatch.setattr(pynvml, "nvmlDeviceGetName", name_of)

    return install


def name_of(handle):
    if isinstance(handle, Exception):
        raise handle
    return handle


def test_a_machine_offers_its_slots_and_most_of_its_memory(monkeypatch):
    monkeypatch.setattr(inventory, "find_gpus", lambda: ())
    capacity = inventory.measure(3)
    assert capacity.cores == 3
    assert capacity.memory_mib > 0


def test_a_containers_memory_limit_counts(monkeypatch, tmp_path):
    (tmp_path / "memory.max").write_text("1073741824\n")
    (tmp_path / "unlimited").write_text("max\n")
    monkeypatch.setattr(
        inventory, "_CGROUP_LIMITS", (tmp_path / "memory.max", tmp_path / "unlimited", tmp_path / "none")
    )
    assert inventory.measure(1).memory_mib == 921


def test_without_a_driver_there_are_no_gpus(monkeypatch):
    def refuse():
        raise pynvml.NVMLError(pynvml.NVML_ERROR_LIBRARY_NOT_FOUND)

    monkeypatch.setattr(pynvml, "nvmlInit", refuse)
    assert inventory.find_gpus() == ()


def test_gpus_are_named_by_model_and_a_broken_one_is_left_out(nvml):
    nvml("NVIDIA T4", pynvml.NVMLError(pynvml.NVML_ERROR_GPU_IS_LOST), b"NVIDIA A100")
    assert inventory.find_gpus() == ("NVIDIA T4", "NVIDIA A100")
