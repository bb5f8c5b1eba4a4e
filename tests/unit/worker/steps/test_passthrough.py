from gridloom.sources import SourceSpec
from gridloom.states import EndReason, Stage
from gridloom.wire import ResultFile

SOURCE = SourceSpec(descriptor="url", params={"url": "http://x/"})
BUILT_IN = {"name": "passthrough", "owner": ""}


def test_the_source_is_the_chunk_and_nothing_runs(rig):
    rig.control_plane.add(Stage.PARTITION, 0)
    rig.set_work(Stage.PARTITION, source=SOURCE, **BUILT_IN)
    rig.run(Stage.PARTITION, 0)
    assert rig.result(Stage.PARTITION).total == 1
    assert rig.control_plane.chunks[0][1] == b"hello"
    assert rig.runner.opened == 0


def test_several_files_become_chunks_by_name(rig):
    rig.sources.update({"a.txt": b"a", "z.txt": b"z" * 100_000})
    rig.control_plane.add(Stage.PARTITION, 0)
    rig.set_work(Stage.PARTITION, source=SOURCE, **BUILT_IN)
    rig.run(Stage.PARTITION, 0)
    assert [rig.control_plane.chunks[it][1] for it in range(3)] == [b"a", b"hello", None]


def test_a_users_own_component_of_that_name_does_run(rig):
    rig.control_plane.add(Stage.PARTITION, 0)
    rig.set_work(Stage.PARTITION, source=SOURCE, name="passthrough")
    rig.run(Stage.PARTITION, 0)
    assert len(rig.runner.executions) == 1


def test_results_become_outputs_where_they_lie(rig):
    rig.control_plane.add(Stage.ASSEMBLE, 0)
    for chunk in range(3):
        rig.control_plane.add_result(
            chunk,
            ResultFile(name="out.png", size=5, offset=chunk * 5, key="jobs/pack"),
            ResultFile(name="logs/run.txt", size=1, key=f"jobs/{chunk}"),
        )
    rig.set_work(Stage.ASSEMBLE, **BUILT_IN)
    rig.run(Stage.ASSEMBLE, 0)
    assert rig.result(Stage.ASSEMBLE).reason is None
    outputs = rig.control_plane.outputs
    assert list(outputs) == [
        "out.png",
        "logs/run.txt",
        "out_1.png",
        "logs/run_1.txt",
        "out_2.png",
        "logs/run_2.txt",
    ]
    assert (outputs["out_2.png"].key, outputs["out_2.png"].offset) == ("jobs/pack", 10)


def test_results_lie_in_a_folder_for_each_chunk_on_request(rig):
    rig.control_plane.add(Stage.ASSEMBLE, 0)
    for chunk in range(2):
        rig.control_plane.add_result(chunk, ResultFile(name="out.png", size=5, key="jobs/pack"))
    rig.set_work(Stage.ASSEMBLE, **BUILT_IN)
    work = rig.control_plane.work
    rig.control_plane.work = work.model_copy(update={"env": {"ASSEMBLER_PARAMS": '{"by_chunk": true}'}})
    rig.run(Stage.ASSEMBLE, 0)
    assert list(rig.control_plane.outputs) == ["0/out.png", "1/out.png"]


def test_a_name_that_leads_elsewhere_is_refused(rig):
    rig.control_plane.add(Stage.ASSEMBLE, 0)
    rig.control_plane.add_result(0, ResultFile(name="../x", size=0, key="jobs/0"))
    rig.set_work(Stage.ASSEMBLE, **BUILT_IN)
    rig.run(Stage.ASSEMBLE, 0)
    assert rig.result(Stage.ASSEMBLE).reason is EndReason.BAD_OUTPUT
