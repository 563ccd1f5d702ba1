"""What `import acclimate` promises: a small, sorted, documented surface that loads nothing heavy."""

import ast
import inspect
import subprocess
import sys
from pathlib import Path

import pytest

import acclimate
from acclimate import errors

SOURCE = Path(acclimate.__file__)


def test_public_names_are_sorted_and_without_repeats() -> None:
    assert acclimate.__all__ == sorted(set(acclimate.__all__))


@pytest.mark.parametrize("name", acclimate.__all__)
def test_every_public_name_can_be_imported_and_says_what_it_is(name: str) -> None:
    value = getattr(acclimate, name)
    assert value.__name__ == name
    assert inspect.getdoc(value), f"acclimate.{name} has no docstring"


def test_type_checkers_and_the_running_program_see_the_same_names_from_the_same_homes() -> None:
    tree = ast.parse(SOURCE.read_text(encoding="utf-8"))
    (block,) = [node for node in tree.body if isinstance(node, ast.If)]
    seen = {alias.name: node.module for node in block.body if isinstance(node, ast.ImportFrom) for alias in node.names}
    assert sorted(seen) == acclimate.__all__
    assert seen == acclimate._HOME_OF


def test_dir_lists_public_names_before_they_are_used() -> None:
    listed = _python("import acclimate; print(*dir(acclimate))").split()
    assert set(acclimate.__all__) <= set(listed)


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'Studdy'"):
        _ = acclimate.Studdy


def test_importing_acclimate_loads_no_third_party_library() -> None:
    loaded = _python("import sys; before = set(sys.modules); import acclimate; print(*set(sys.modules) - before)").split()
    ours_or_standard = {"acclimate", *sys.stdlib_module_names}
    assert {module.partition(".")[0] for module in loaded} <= ours_or_standard


def test_every_error_is_public_and_stands_in_the_tree_that_is_drawn() -> None:
    classes = {name: value for name, value in vars(errors).items() if inspect.isclass(value)}
    assert set(classes) <= set(acclimate.__all__)
    assert errors.__doc__ is not None
    for name, value in classes.items():
        assert name in errors.__doc__
        # Interrupted is no mistake of the user's, so `except AcclimateError` must not swallow it.
        assert issubclass(value, errors.AcclimateError) != (name == "Interrupted")


@pytest.mark.parametrize(("error", "code"), [("AcclimateError", 2), ("DiskFullError", 2), ("TrainingError", 1), ("Interrupted", 130)])
def test_every_error_carries_its_documented_exit_code(error: str, code: int) -> None:
    assert getattr(errors, error).exit_code == code


def _python(program: str) -> str:
    return subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True).stdout
