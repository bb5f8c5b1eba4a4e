from pathlib import Path

import pytest

from gridloom.states import EndReason, Stage
from gridloom.wire import ResultFile


@pytest.fixture
def assemble(rig):
    rig.control_plane.add(Stage.ASSEMBLE, 0)

    def run(*results, mock=None):
        packed = b""
        for chunk, files in enumerate(results):
            members = []
            for name, data in files.items():
                members.append(ResultFile(name=name, size=len(data), offset=len(packed), key="jobs/pack"))
                packed += data
            rig.control_plane.add_result(chunk, *members)
        rig.store.put_bytes("jobs/pack", packed)
        seen = {}

        def look(execution, slot):
            folder = Path(execution.env["RESULTS_DIR"])
            assert execution.env["TASK_RESULTS_DIR"] == str(folder)
            for path in folder.rglob("*"):
                if path.is_file():
                    seen[str(path.relative_to(folder))] = path.read_bytes()

        rig.runner.before = look
        rig.set_work(Stage.ASSEMBLE, mock)
        rig.run(Stage.ASSEMBLE, 0)
        return seen

    return run


def test_the_assembler_finds_every_file_of_every_task_in_one_folder(rig, assemble):
    seen = assemble(
        {"a.png": b"0", "only.txt": b"x"}, {"a.png": b"1"}, {}, {"a.png": b"3"}, {"a_1.png": b"4"}
    )
    assert seen == {
        "a.png": b"0",
        "only.txt": b"x",
        "a_1.png": b"1",
        "a_3.png": b"3",
        "a_1_4.png": b"4",
    }
    assert rig.control_plane.calls["results"] == 3
    assert rig.nothing_is_left()


def test_folders_keep_their_names_unless_a_file_has_it(assemble):
    seen = assemble({"d/x.txt": b"0", "e": b"file"}, {"d/x.txt": b"1", "e/y.txt": b"1"}, {"d": b"2"})
    assert seen == {
        "d/x.txt": b"0",
        "e": b"file",
        "d/x_1.txt": b"1",
        "e_1/y.txt": b"1",
        "d_2": b"2",
    }


def test_bytes_that_are_gone_cost_the_fabrics_budget(rig, assemble):
    rig.control_plane.add_result(9, ResultFile(name="lost", size=4, key="jobs/other"))
    rig.store.put_bytes("jobs/other", b"abc")
    assemble({"a": b"x"})
    assert rig.result(Stage.ASSEMBLE).reason is EndReason.STORE_UNAVAILABLE


@pytest.mark.parametrize("name", ["../x", "/etc/x", "a/../../x"])
def test_nothing_is_written_outside_the_folder(rig, assemble, name):
    assemble({name: b"x"})
    assert rig.result(Stage.ASSEMBLE).reason is EndReason.BAD_OUTPUT
    assert not (rig.shop.scratch.root / "x").exists()
