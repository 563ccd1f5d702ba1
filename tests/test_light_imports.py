"""Looking at things is quick: help, plans, data and reports load no deep-learning library."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

HEAVY = ("torch", "transformers", "accelerate", "datasets", "sklearn")
# Measuring coverage inside the process would load modules of its own.
ENVIRONMENT = {name: value for name, value in os.environ.items() if not name.startswith("COV")}


@pytest.mark.parametrize(
    "module",
    ["acclimate.cli", "acclimate.data.opened", "acclimate.evaluation.metrics", "acclimate.evaluation.statistics", "acclimate.report"],
)
def test_module_loads_without_torch(module: str) -> None:
    assert "torch" not in _loaded(f"import {module}")


@pytest.mark.parametrize("module", ["acclimate.study.language", "acclimate.study.plan", "acclimate.stages"])
def test_a_study_can_be_described_without_torch(module: str) -> None:
    assert "torch" not in _loaded(f"import {module}")


def test_every_module_of_data_and_report_loads_without_torch() -> None:
    source = Path(__file__).resolve().parents[1] / "src"
    files = [file for part in ("data", "report") for file in sorted((source / "acclimate" / part).rglob("*.py"))]
    modules = [".".join(file.relative_to(source).with_suffix("").parts).removesuffix(".__init__") for file in files]
    assert len(modules) > 10
    assert "torch" not in _loaded("\n".join(f"import {module}" for module in modules))


def test_help_loads_nothing_heavy() -> None:
    program = "import sys; sys.argv = ['acclimate', '--help']\nfrom acclimate.cli import main\ntry: main()\nexcept SystemExit: pass"
    assert _loaded(program).isdisjoint(HEAVY)


def _loaded(program: str) -> set[str]:
    """The names of the modules that are loaded after a program has run in a process of its own."""
    program = f"{program}\nimport sys\nprint('loaded:', *sys.modules)"
    shown = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True, env=ENVIRONMENT).stdout
    return set(shown.rpartition("loaded:")[2].split())
