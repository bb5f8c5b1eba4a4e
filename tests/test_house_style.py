"""The house rules that no linter knows."""

import ast
import re
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
PACKAGES = PROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]
# What clients see of the API as a whole.
ABOUT_MANY_MODULES = {
    "contract",
    "gates",
    "inline_credentials",
    "internal_secrets",
    "leniencies",
    "two_tenants",
}
MODULES = [path for package in PACKAGES for path in sorted((ROOT / package).rglob("*.py"))]
FOLDERS = [*PACKAGES, ".ci", "benchmarks", "console/src", "deploy", "docs", "scripts", "tests"]
GENERATED = {"node_modules", "dist", "__pycache__"}
TEXTS = [path for path in ROOT.iterdir() if path.is_file() and path.name != ".git"] + [
    path
    for folder in FOLDERS
    for path in (ROOT / folder).rglob("*")
    if path.is_file() and not GENERATED & {*path.parts}
]
FOREIGN = re.compile(
    rb"/(?:work/(?:main|shared)|tmp/dev|root/\.pyenv)\b|(?:\bpypi|pythonhosted|registry\.npmjs)\.org\b"
)


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_a_module_is_short_named_by_its_concern_and_says_what_it_is(path):
    text = path.read_text()
    assert len(text.splitlines()) <= 400
    assert path.stem not in {"utils", "util", "helpers", "common", "misc"}
    assert not text.strip() or ast.get_docstring(ast.parse(text))


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_functions_have_at_most_60_lines(path):
    functions = [
        it
        for it in ast.walk(ast.parse(path.read_text()))
        if isinstance(it, ast.FunctionDef | ast.AsyncFunctionDef)
    ]
    assert [it.name for it in functions if it.end_lineno - it.lineno >= 60] == []


@pytest.mark.parametrize("path", sorted((ROOT / "tests/unit").rglob("test_*.py")), ids=name_of)
def test_a_unit_test_lies_where_its_module_lies(path):
    place, name = path.parent.relative_to(ROOT / "tests/unit"), path.stem.removeprefix("test_")
    names = {
        it.stem.replace("-", "_") for it in (ROOT / place).iterdir() if it.is_dir() or it.suffix == ".py"
    }
    assert place.parts
    assert name in names | ABOUT_MANY_MODULES


@pytest.mark.parametrize("package", PACKAGES)
def test_a_package_shadows_nothing(package):
    assert package not in sys.stdlib_module_names
    assert set(packages_distributions().get(package, [])) <= {"gridloom"}


def test_no_file_names_a_developers_folder_or_a_registry():
    assert [name_of(path) for path in TEXTS if FOREIGN.search(path.read_bytes())] == []


@pytest.mark.parametrize("path", sorted((ROOT / "docs/decisions").glob("*.md")), ids=name_of)
def test_a_decision_is_short_and_has_the_four_parts(path):
    text = path.read_text()
    assert len(text.splitlines()) <= 60
    assert re.findall("^## (.*)$", text, re.MULTILINE) == [
        "Context",
        "Decision",
        "Consequences",
        "Alternatives",
    ]


@pytest.mark.parametrize("heading", ["Quick start", "Tests"])
def test_readme_gives_one_command(heading):
    section = (ROOT / "README.md").read_text().split(f"\n## {heading}\n")[1].split("\n## ")[0]
    commands = re.search("^```sh\n(.*?)^```$", section, re.MULTILINE | re.DOTALL)[1]
    assert len(commands.splitlines()) == 1
    assert (ROOT / commands.split()[1]).is_file()
