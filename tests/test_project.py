"""The project's own habits: one story a file, one version everywhere, pins that the ranges allow."""

import ast
import re
import tomllib
from importlib.metadata import version
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import acclimate

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
PINS = [line for line in (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines() if line and not line.startswith("#")]
DIRECT = [*PROJECT["dependencies"], *(line for lines in PROJECT["optional-dependencies"].values() for line in lines)]
LONGEST = 450  # lines; a longer file tells more than one story
LONGEST_FUNCTION, MOST_ARGUMENTS = 80, 8  # lines; `self` and `cls` not counted
# Their arguments are what others call them with: the options of a verb, and transformers' interface of attention.
AS_OTHERS_CALL_THEM = ("cli/", "modeling/packed.py attention")


def _python_files() -> list[Path]:
    return sorted(file for folder in ("src", "tests", "bench", "examples") for file in (ROOT / folder).rglob("*.py"))


def test_no_file_has_outgrown_one_story() -> None:
    lengths = {str(file.relative_to(ROOT)): len(file.read_text(encoding="utf-8").splitlines()) for file in _python_files()}
    assert {name: length for name, length in lengths.items() if length > LONGEST} == {}


@pytest.mark.measured(0)
def test_no_function_has_outgrown_a_screen_and_none_asks_for_more_than_one_remembers() -> None:
    found = []
    for file in sorted((ROOT / "src").rglob("*.py")):
        name = str(file.relative_to(ROOT / "src" / "acclimate"))
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                asked = [each.arg for each in (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs)]
                excepted = f"{name} {node.name}".startswith(AS_OTHERS_CALL_THEM)
                if not excepted and len([each for each in asked if each not in ("self", "cls")]) > MOST_ARGUMENTS:
                    found.append(f"{name} {node.name}: {len(asked)} arguments")
                if (length := (node.end_lineno or 0) - node.lineno + 1) > LONGEST_FUNCTION:
                    found.append(f"{name} {node.name}: {length} lines")
    assert found == []


def test_test_files_have_unique_names_and_mirror_the_parts_of_src() -> None:
    files = [file for file in _python_files() if file.is_relative_to(ROOT / "tests")]
    names = [file.name for file in files if file.name != "conftest.py"]
    assert sorted(names) == sorted(set(names))
    parts = {file.relative_to(ROOT / "tests").parts[0] for file in files if file.parent != ROOT / "tests"}
    assert parts <= {folder.name for folder in (ROOT / "src" / "acclimate").iterdir() if folder.is_dir()} | {"faults", "toys"}


def test_every_pin_is_one_exact_version_of_a_package_index() -> None:
    for line in PINS:
        assert re.fullmatch(r"[A-Za-z0-9._-]+==[0-9][A-Za-z0-9.]*", line), line
    names = [canonicalize_name(line.partition("==")[0]) for line in PINS]
    assert sorted(names) == sorted(set(names))


@pytest.mark.parametrize("line", DIRECT)
def test_every_dependency_is_pinned_within_its_range(line: str) -> None:
    pins = {canonicalize_name(name): pinned for name, _, pinned in (pin.partition("==") for pin in PINS)}
    requirement = Requirement(line)
    assert requirement.specifier, f"{line}: needs a lower bound"
    assert requirement.specifier.contains(pins[canonicalize_name(requirement.name)])


def test_the_installed_version_is_the_one_in_the_source() -> None:
    assert version("acclimate") == acclimate.__version__


def test_what_a_stage_is_stands_in_its_own_file_and_the_table_alone() -> None:
    stages = ROOT / "src" / "acclimate" / "stages"
    names = "|".join(file.stem for file in stages.glob("*.py") if 'stage: Literal["' in file.read_text(encoding="utf-8"))
    asks = re.compile(rf"from acclimate\.stages\.({names}) import|isinstance\([^,()]*stage, \(?[A-Z]|\.stage == \"|hasattr\([^,]*stage,")
    files = [file for file in (ROOT / "src" / "acclimate").rglob("*.py") if stages not in file.parents and file.name != "__init__.py"]
    assert [str(file) for file in files if asks.search(file.read_text(encoding="utf-8"))] == []
