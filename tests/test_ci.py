"""What runs in CI: everything but what needs a GPU, or the run fails and says what was missing."""

import subprocess
import sys
from pathlib import Path

import pytest

pytest_plugins = ["pytester"]

ROOT = Path(__file__).resolve().parents[1]
TESTS = """
import pytest

@pytest.mark.gpu
def test_of_a_gpu():
    pytest.skip("this one is too old")

def test_of_a_package():
    pytest.importorskip("no_such_package")

@pytest.mark.skipif(True, reason="needs a browser")
def test_of_a_browser():
    pass

@pytest.mark.xfail(reason="not yet")
def test_of_tomorrow():
    assert False

def test_of_today():
    pass
"""


WHOLE_FILE = """
import pytest
pytest.importorskip("no_such_package")

def test_a():
    pass
"""


@pytest.fixture
def result(pytester, monkeypatch, request):
    """What becomes of such tests; the parameter is the value of $CI, and pytest's further arguments."""
    pytester.makeconftest((ROOT / "tests/conftest.py").read_text(encoding="utf-8"))
    pytester.makeini("[pytest]\nmarkers =\n    gpu\n    shared")
    pytester.makepyfile(test_some=TESTS, test_whole_file=WHOLE_FILE)
    monkeypatch.setenv("CI", request.param[0])
    monkeypatch.delenv("PYTEST_XDIST_WORKER", raising=False)
    # In a process of its own: in this one, pytester would have torch imported twice.
    return pytester.runpytest_subprocess("-p", "no:cacheprovider", "--continue-on-collection-errors", *request.param[1:])


@pytest.mark.parametrize("result", [("true",)], ids=["CI"], indirect=True)
def test_in_ci_whatever_is_skipped_without_needing_a_gpu_fails_and_says_what_was_missing(result):
    result.assert_outcomes(skipped=1, passed=1, failed=1, xfailed=1, errors=2)
    said = result.stdout.str()
    assert said.count("could not import 'no_such_package'") >= 2  # of a test, and of a whole file
    assert "needs a browser" in said
    assert "but what needs a GPU" in said


@pytest.mark.parametrize("result", [("", "-m", "not gpu")], ids=["no CI"], indirect=True)
def test_elsewhere_it_is_skipped(result):
    result.assert_outcomes(skipped=3, passed=1, xfailed=1, deselected=1)


def test_the_script_of_ci_is_valid_shell():
    subprocess.run(["bash", "-n", ROOT / ".ci/run"], check=True)


@pytest.mark.measured(1)
@pytest.mark.parametrize("case", [1, 2])
def test_coverage_looks_at_no_more_cases_than_are_marked(case, pytestconfig):
    measuring = pytestconfig.pluginmanager.hasplugin("_cov")
    assert (sys.gettrace() is not None) == (measuring and case == 1)
