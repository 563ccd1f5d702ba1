"""Looking at things is quick: help, plans, data and reports load no deep-learning library.

What is counted is modules, not seconds, which belong to `python -m bench`: a test that measures time fails on a busy machine.
"""

import json
import subprocess
import sys
from pathlib import Path

import pytest

SOURCE = Path(__file__).resolve().parents[1] / "src"
# What takes longest to load of all that is installed: help needs none of it.
HEAVY = {
    "accelerate", "altair", "datasets", "huggingface_hub", "jinja2", "numpy", "pandas", "psutil", "pyarrow", "safetensors", "scipy",
    "sklearn", "tokenizers", "torch", "transformers", "vl_convert",
}  # fmt: skip
FOR_DATA = HEAVY & {"torch", "transformers", "accelerate", "datasets", "pandas", "pyarrow", "huggingface_hub", "sklearn"}
FOR_WORK = {"torch", "transformers", "accelerate"}


def modules_of(part: str) -> list[str]:
    files = sorted((SOURCE / "acclimate" / part).rglob("*.py"))
    return [".".join(file.relative_to(SOURCE).with_suffix("").parts).removesuffix(".__init__") for file in files]


HELP = """
import contextlib, io
from acclimate.cli import main
sys.argv = ["acclimate", "--help"]
shown = io.StringIO()
with contextlib.redirect_stdout(shown), contextlib.suppress(SystemExit):
    main()
assert "study" in shown.getvalue()
"""
# In this order, in one process: what a step must not have loaded, no step before it has loaded either.
STEPS = {
    "acclimate --help": (HELP, HEAVY),
    "acclimate.cli": ("import acclimate.cli", HEAVY),
    "acclimate.tasks.opened": ("import acclimate.tasks.opened", FOR_DATA),
    "acclimate.modeling.baselines.table": ("from acclimate.modeling.baselines.table import BASELINES", FOR_WORK),
    "acclimate.stages": ("import acclimate.stages", FOR_WORK),
    "acclimate.study.language.study": ("import acclimate.study.language.study", FOR_WORK),
    "acclimate.study.plan.graph": ("import acclimate.study.plan.graph", FOR_WORK),
    "acclimate.tasks.metrics.classes": ("import acclimate.tasks.metrics.classes", FOR_WORK),
    "acclimate.evaluation.statistics": ("import acclimate.evaluation.statistics", FOR_WORK),
    "all of data": ("\n".join(f"import {module}" for module in modules_of("data")), FOR_WORK),
    "all of tasks": ("\n".join(f"import {module}" for module in modules_of("tasks")), FOR_WORK),
    "all of report": ("\n".join(f"import {module}" for module in modules_of("report")), FOR_WORK),
}


@pytest.fixture(scope="module")
def loaded() -> dict[str, list[str]]:
    """What of the heavy modules is loaded after each step."""
    program = f"""
import json, sys
loaded = {{}}
for name, step in json.loads(sys.argv[1]).items():
    exec(step, {{"sys": sys}})
    loaded[name] = sorted(set({sorted(HEAVY)}) & set(sys.modules))
print(json.dumps(loaded))
"""
    steps = json.dumps({name: step for name, (step, _) in STEPS.items()})
    done = subprocess.run([sys.executable, "-c", program, steps], check=True, capture_output=True, text=True)
    return json.loads(done.stdout)  # type: ignore[no-any-return]


@pytest.mark.parametrize("step", list(STEPS))
def test_looking_at_things_loads_nothing_heavy(loaded: dict[str, list[str]], step: str) -> None:
    assert set(loaded[step]) & STEPS[step][1] == set()


def test_the_modules_of_data_and_report_are_found() -> None:
    assert min(len(modules_of("data")), len(modules_of("report"))) > 5
