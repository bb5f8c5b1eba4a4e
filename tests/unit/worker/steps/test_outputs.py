from gridloom.states import EndReason, Stage


def test_small_files_share_an_object_and_large_ones_have_their_own(rig):
    rig.control_plane.add(Stage.ASSEMBLE, 0)
    result = {"b/small.txt": "small", "a.txt": "first", "big.bin": "x" * 300_000}
    rig.set_work(Stage.ASSEMBLE, {"result": result})
    rig.run(Stage.ASSEMBLE, 0)
    outputs = rig.control_plane.outputs
    for path, text in result.items():
        file = outputs[path]
        assert rig.store.get_bytes(file.key, file.offset, file.size) == text.encode()
        assert "/output/1/" in file.key
    assert outputs["a.txt"].key == outputs["b/small.txt"].key != outputs["big.bin"].key
    assert rig.result(Stage.ASSEMBLE).reason is None
    assert rig.nothing_is_left()


def test_many_files_are_registered_in_pages(rig):
    rig.control_plane.add(Stage.ASSEMBLE, 0)
    rig.set_work(Stage.ASSEMBLE, {"result": {f"{number}.txt": str(number) for number in range(1100)}})
    rig.run(Stage.ASSEMBLE, 0)
    assert len(rig.control_plane.outputs) == 1100
    assert rig.control_plane.calls["outputs"] == 3


def test_no_output_is_an_output(rig):
    rig.control_plane.add(Stage.ASSEMBLE, 0)
    rig.set_work(Stage.ASSEMBLE, {"result": {}})
    rig.run(Stage.ASSEMBLE, 0)
    assert rig.result(Stage.ASSEMBLE).reason is None
    assert rig.control_plane.calls["outputs"] == 0


def test_a_failed_assembler_delivers_nothing(rig):
    rig.control_plane.add(Stage.ASSEMBLE, 0)
    rig.set_work(Stage.ASSEMBLE, {"exit_code": 1})
    rig.run(Stage.ASSEMBLE, 0)
    assert rig.result(Stage.ASSEMBLE).reason is EndReason.EXIT_NONZERO
    assert rig.control_plane.outputs == {}
