"""A study runs a loss of its own where that is allowed, in every process and from any folder, and nothing else ever imports it.

Processes that import torch take longest of all that is tested: what two workers make is seen here, too.
"""

import importlib.util
import json
import re
import sys

import pytest

from acclimate.errors import SettingsError
from acclimate.own_code import Digested
from acclimate.study.language.study import load_study
from acclimate.study.run import Options, run_study

pytestmark = pytest.mark.measured(0)

STUDY = """
{head}
seeds: 1
recipes:
  own: [finetune: {{ loss: {{ mine.losses:weighed: {{ factor: 2.0 }} }}, lr: 1e-2, epochs: 1, min_steps: 0, class_weights: balanced }}]
  usual: [finetune: &usual {{ lr: 1e-2, epochs: 1, min_steps: 0 }}]
  TAPT: [pretrain: {{ corpus: task, epochs: 1, batch_tokens: 256 }}, finetune: *usual]
"""
LOSSES = """\
from pathlib import Path
from torch.nn.functional import cross_entropy
from . import factors

Path(__file__).with_name("imported").touch()


def weighed(outputs, labels, *, factor):
    return factor * factors.EACH * cross_entropy(outputs, labels, reduction="none")
"""
# The tracker is tensorboard, where it is installed: what it shows of a study is in test_tracked_study.py.
FOLLOWED = ("--track", "tensorboard") if importlib.util.find_spec("tensorboard") else ()


@pytest.fixture(autouse=True)
def as_it_was():
    finders, names = [*sys.meta_path], {*sys.modules}
    yield
    sys.meta_path[:] = finders
    for name in {name for name in {*sys.modules} - names if name.partition(".")[0] == "mine"}:
        del sys.modules[name]


@pytest.fixture(scope="module")
def folder(write_study, tmp_path_factory):
    """A study with a package beside it that writes a file when it is imported."""
    folder = tmp_path_factory.mktemp("own loss")
    (folder / "mine").mkdir()
    (folder / "mine" / "losses.py").write_text(LOSSES)
    (folder / "mine" / "factors.py").write_text("EACH = 1.5\n")
    write_study(folder, STUDY)
    return folder


@pytest.fixture(scope="module")
def done(folder, acclimate, tmp_path_factory):
    """The study, carried out by two workers from another folder and followed by a tracker; what came of it."""
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    imported = folder / "mine" / "imported"
    refused = acclimate("study", folder / "study.yaml", "--engine", "inline", folder=elsewhere)
    assert not imported.exists()
    planned = acclimate("plan", folder / "study.yaml", folder=elsewhere)
    assert not imported.exists()
    options = ("--engine", "local", "--workers", 2, "--threads", 1, *FOLLOWED)
    ran = acclimate("study", folder / "study.yaml", "--allow-code", *options, folder=elsewhere)
    assert imported.exists()
    return refused, planned, ran


def test_without_permission_it_is_refused_with_file_function_and_reason_and_nothing_is_made(done, folder):
    refused, _, _ = done
    assert refused.returncode == 2
    for said in ("recipes.own: ", str(folder / "mine" / "losses.py"), "weighed", "Study files are shared", "--allow-code"):
        assert said in refused.stderr


def test_with_it_workers_find_the_module_and_card_and_report_tell_of_it(done, folder):
    _, planned, ran = done
    assert planned.returncode == 0, planned.stderr
    assert "losses.py is code of one's own: it runs with --allow-code alone" in planned.stdout
    assert ran.returncode == 0, ran.stderr
    out = folder / "results" / "study"
    facts = json.loads((out / "study.json").read_text())
    (own,) = [stage for stage in facts["stages"] if stage["recipes"] == ["own"]]
    (digest,) = [value for name, value in own["settings"]["loss"].items() if name == "digest"]
    assert facts["command"] == "acclimate study study.yaml --allow-code"
    note = f"trained with code of one's own: the loss mine.losses:weighed with mine.factors (SHA-256 {digest[:16]})"
    assert note in own["notes"]
    assert digest[:16] in (out / "report.html").read_text(encoding="utf-8")
    assert str(folder) not in json.dumps(own)


def artifacts(store):
    return [json.loads(path.read_text()) for path in store.glob("artifacts/*/stage.json")]


def test_two_workers_make_the_models_that_one_makes_and_are_followed_by_a_tracker(done, folder, tmp_path):
    options = Options(tmp_path / "out", tmp_path / "store", engine="inline", threads=1, say=lambda _: None)
    run_study(load_study(folder / "study.yaml"), folder, options, allow_code=True)
    weights = [
        {made["key"]: [digest for name, digest in made["files"].items() if name.endswith(".safetensors")] for made in artifacts(store)}
        for store in (tmp_path / "store", folder / ".acclimate")
    ]
    assert len(weights[0]) == 5
    assert all(weights[0].values())
    assert weights[0] == weights[1]
    if FOLLOWED:
        learned = {made["title"].replace("/", "-") for made in artifacts(tmp_path / "store") if made["stage"]["stage"] != "start"}
        assert {run.name for run in (folder / "results/study/tensorboard").iterdir()} == learned


def test_whoever_looks_at_it_or_uses_its_model_never_imports_it(done, folder, tiny_world, acclimate, tmp_path):
    (folder / "mine" / "imported").unlink()
    out = folder / "results" / "study"
    (folder / "mine").rename(folder / "away")  # nor does the model need it
    try:
        assert acclimate("report", out).returncode == 0
        assert acclimate("watch", folder / "study.yaml", "--once").returncode == 0
        assert acclimate("predict", out / "best", tiny_world / "test.jsonl", "--out", tmp_path / "labels.csv").returncode == 0
    finally:
        (folder / "away").rename(folder / "mine")
    assert acclimate("plan", folder / "study.yaml").stdout.count("cached") >= 1
    assert not (folder / "mine" / "imported").exists()


def test_an_allowed_run_goes_on_from_the_store_until_the_source_of_one_of_its_modules_changes(done, folder):
    def cached():
        said = []
        options = Options(folder / "results" / "study", folder / ".acclimate", engine="inline", say=said.append)
        run_study(load_study(folder / "study.yaml"), folder, options, allow_code=True)
        return next(line for line in said if "are there already" in line)

    (folder / "foreign.py").write_text("import mine.losses\n")
    assert cached() == "5 stages for 3 runs; 5 are there already"
    (folder / "mine" / "factors.py").write_text("EACH = 2.0\n")
    assert cached() == "5 stages for 3 runs; 4 are there already"
    assert sum(isinstance(finder, Digested) for finder in sys.meta_path) == 1


def test_a_single_model_is_trained_with_it_where_that_is_allowed(folder, tiny_world, acclimate, tmp_path):
    words = ("finetune", tiny_world / "model", tiny_world / "train.jsonl", "--out", tmp_path / "out", "--store", tmp_path / "store")
    words += ("--set", "loss={mine.losses:weighed: {factor: 1}}", "--set", "epochs=1", "--set", "min_steps=0")
    refused = acclimate(*words, folder=folder)
    assert refused.returncode == 2
    assert "losses.py" in refused.stderr
    assert "--allow-code" in refused.stderr
    assert not (tmp_path / "out").exists()


def test_from_python_it_takes_allow_code(folder, tmp_path):
    with pytest.raises(SettingsError, match="allow_code=True"):
        run_study(load_study(folder / "study.yaml"), folder, Options(tmp_path / "out", tmp_path / "store"))
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("loss", "says"),
    [
        ("mine.losses:weighd", "recipes.own: mine.losses:weighd: .*losses.py has no function 'weighd'; did you mean 'weighed'"),
        ("mine.losses:weighed", "recipes.own: .*losses.py:8: weighed needs the setting 'factor'"),
        ("{{ mine.losses:weighed: {{ facter: 1 }} }}", "takes no setting 'facter'; did you mean 'factor'"),
        ("mine.lost:f", "there is no mine/lost.py beside the study file"),
    ],
)
def test_what_is_wrong_with_it_is_said_in_the_plan(folder, write_study, acclimate, tmp_path, loss, says):
    (tmp_path / "mine").symlink_to(folder / "mine")
    wrong = acclimate("plan", write_study(tmp_path, STUDY.replace("{{ mine.losses:weighed: {{ factor: 2.0 }} }}", loss)))
    assert wrong.returncode == 2
    assert re.search(says, wrong.stderr.replace("\n", " ")), wrong.stderr
