import pytest

from benchmarks.errand import TRIVIAL, Errand
from benchmarks.rivals import BareSubprocess, DockerRun, ForkServer
from benchmarks.turns import in_turns, percentile


@pytest.fixture
def errand(tmp_path):
    return Errand.write(tmp_path / "code", TRIVIAL)


def test_a_fork_server_runs_script_after_script(errand, tmp_path):
    server = ForkServer(errand, tmp_path / "fork", imports=["json"])
    assert all(server.run_s() > 0 for _ in range(3))
    server.close()
    assert list((tmp_path / "fork").iterdir()) == []


def test_a_script_that_leaves_no_result_is_an_error(tmp_path):
    server = ForkServer(Errand.write(tmp_path / "code", "print('done')"), tmp_path / "fork")
    with pytest.raises(RuntimeError, match="went wrong: done"):
        server.run_s()
    server.close()


def test_a_subprocess_runs_the_script(errand, tmp_path):
    assert BareSubprocess(errand, tmp_path / "subprocess").run_s() > 0


@pytest.mark.parametrize("cli", [True, False])
def test_docker_run_runs_the_script(
    errand, tmp_path, monkeypatch, docker_client, docker_url, python_image, cli
):
    monkeypatch.setenv("DOCKER_HOST", docker_url)
    if not cli:
        monkeypatch.setattr("shutil.which", lambda name: None)
    run = DockerRun(errand, tmp_path / "docker", client=docker_client, image=python_image)
    assert run.run_s() > 0


def test_variants_take_turns_and_the_first_of_each_does_not_count():
    calls = []
    times = in_turns({name: lambda name=name: calls.append(name) or len(calls) for name in "ab"}, 3)
    assert [len(it) for it in times.values()] == [3, 3]
    assert sorted(calls[:2]) == sorted(calls[2:4]) == ["a", "b"]


def test_a_percentile_lies_between_the_nearest_times():
    assert percentile([1, 2, 3], 50) == 2
