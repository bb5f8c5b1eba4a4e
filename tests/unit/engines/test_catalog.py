"""The catalog of built-in engines."""

import ast
import io
import json
import tarfile

import jsonschema_rs
import pytest

from engines.catalog import builtin_packages


def test_all_published_names_and_versions_are_there():
    assert {(package.kind, package.name, package.version) for package in builtin_packages()} == {
        ("partitioner", "passthrough", "1.0"),
        ("assembler", "passthrough", "1.0"),
        ("partitioner", "replicate-fanout", "0.4"),
        ("partitioner", "replicate-fanout", "1.0"),
        ("partitioner", "replicate-fanout", "2.0"),
        ("partitioner", "fanout-replica", "1.0"),
        ("partitioner", "split", "1.0"),
        ("assembler", "zipper", "1.0"),
        ("assembler", "merge", "1.0"),
    }


def test_only_the_two_passthroughs_need_no_process():
    assert {package.folder for package in builtin_packages() if package.passthrough} == {
        "passthrough_partitioner",
        "passthrough_assembler",
    }


@pytest.mark.parametrize(
    "package", builtin_packages(), ids=lambda package: f"{package.folder}-{package.version}"
)
def test_every_package_is_what_a_user_could_upload(package):
    with tarfile.open(fileobj=io.BytesIO(package.archive())) as archive:
        files = {member.name: archive.extractfile(member).read() for member in archive}
    assert files == package.files
    assert set(files) - {"schema.json"} >= {"manifest.json", "app/main.py"}
    assert all(path in {"manifest.json", "schema.json"} or path.startswith("app/") for path in files)
    manifest = json.loads(files["manifest.json"])
    assert (manifest["type"], manifest["name"], manifest["version"]) == (
        package.kind,
        package.name,
        package.version,
    )
    if "schema.json" in files:
        jsonschema_rs.validator_for(json.loads(files["schema.json"]))


@pytest.mark.parametrize(
    "package", builtin_packages(), ids=lambda package: f"{package.folder}-{package.version}"
)
def test_every_script_is_written_for_old_pythons_too(package):
    for path, data in package.files.items():
        if path.endswith(".py"):
            ast.parse(data, feature_version=(3, 8))


def test_an_archive_is_the_same_every_time():
    package = builtin_packages()[0]
    assert package.archive() == package.archive()
