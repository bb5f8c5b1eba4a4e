"""The passthrough assembler, run as an ordinary component."""


def test_results_are_handed_on_with_their_sub_folders(run_engine):
    results = {"a.txt": b"one", "a_1.txt": b"two", "deep/er/b.bin": b"\0three"}
    assert run_engine("passthrough_assembler", results).files() == results


def test_no_results_are_no_output(run_engine):
    outcome = run_engine("passthrough_assembler", {})
    assert (outcome.code, outcome.files()) == (0, {})
