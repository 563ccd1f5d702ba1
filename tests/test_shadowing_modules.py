"""A folder may hold modules that go by the names of installed ones, beside a study of somebody else's: none of them is ever run."""

import subprocess
import sys
from pathlib import Path

import pytest

from acclimate.report.charts import svg as drawing
from acclimate.report.charts.svg import chart_of, draw
from acclimate.study.engines.engine import Job
from acclimate.study.engines.local import Local
from acclimate.study.engines.reports import Report

pytestmark = pytest.mark.measured(0)


@pytest.fixture
def ran(tmp_path, monkeypatch):
    """The current folder is full of such modules; the file that each writes when it is imported."""
    ran = tmp_path / "ran"
    for name in ("pickle", "socket", "runpy", "json", "yaml", "typer", "vl_convert"):
        (tmp_path / f"{name}.py").write_text(f"open({str(ran)!r}, 'a').write('{name} ')\nraise ImportError\n")
    monkeypatch.chdir(tmp_path)
    return ran


class Setup:
    preload = ("acclimate.errors",)

    def open(self, stop, send):
        return self

    def execute(self, key, payload):
        return Report(key, "done")


def test_processes_that_carry_out_stages_run_none(ran, monkeypatch):
    monkeypatch.delenv("PYTHONSAFEPATH", raising=False)
    monkeypatch.syspath_prepend(str(Path(__file__).parent))
    for workers in (1, 2):
        done = Local(workers).run([Job(key, (), f"job {key}", None) for key in "ab"], Setup(), print)
        assert {report.status for report in done.values()} == {"done"}
    assert not ran.exists()


def test_a_chart_that_is_drawn_in_a_process_of_its_own_runs_none(ran, monkeypatch):
    monkeypatch.setattr(drawing, "_memory_is_limited", lambda: True)
    assert draw(chart_of([{"x": 1, "y": 2}]).mark_point().encode(x="x:Q", y="y:Q"), 100, 80).startswith("<svg")
    assert not ran.exists()


def test_acclimate_as_a_module_runs_none(ran):
    (Path.cwd() / "runpy.py").unlink()  # of what Python itself takes before a module can say a word
    told = subprocess.run([sys.executable, "-m", "acclimate", "--help"], capture_output=True, text=True, check=False)
    assert told.returncode == 0, told.stderr
    assert "study" in told.stdout
    assert not ran.exists()
