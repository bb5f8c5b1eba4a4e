"""The zipper."""

import zipfile


def test_all_top_level_results_lie_in_one_deflated_archive(run_engine):
    results = {"image.png": b"x" * 10_000, "image_1.png": b"y", "ümlaut.txt": b""}
    outcome = run_engine("zipper", {**results, "folder/inner.txt": b"left out"})
    assert list(outcome.files()) == ["results_archive.zip"]
    with zipfile.ZipFile(outcome.output / "results_archive.zip") as archive:
        assert {name: archive.read(name) for name in archive.namelist()} == results
        assert {member.compress_type for member in archive.infolist()} == {zipfile.ZIP_DEFLATED}


def test_no_results_make_no_archive(run_engine):
    outcome = run_engine("zipper", {})
    assert (outcome.code, outcome.files()) == (0, {})
