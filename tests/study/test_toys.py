"""What CONTRIBUTING calls one file and one line is done here from outside, without a change in `src`."""

import json

import pyarrow.parquet as pq
import pytest
from tests.toys.contrast import Contrasted, FinetuneByContrast
from tests.toys.grades import Grades
from tests.toys.lengths import MODEL_TYPE, Lengths
from tests.toys.louder import Louder
from tests.toys.squares import FinetuneBySquares, Squared
from tests.toys.sureness import Sure

from acclimate.errors import SettingsError
from acclimate.evaluation.apply import evaluate_file
from acclimate.evaluation.predictor import load_predictor
from acclimate.modeling.baselines.table import BASELINES
from acclimate.report.publish import publish
from acclimate.report.results.finished import Results
from acclimate.stages import STAGES
from acclimate.stages.finetune import Finetune
from acclimate.study.language.language import language
from acclimate.study.plan.estimate import estimates
from acclimate.study.plan.prepared import prepare
from acclimate.study.run import Options, run_study
from acclimate.tasks import KINDS

pytestmark = pytest.mark.measured(0)

LANGUAGE = language(stages=(*STAGES, Louder, Lengths))
WITH_LENGTHS = {**BASELINES, MODEL_TYPE: "tests.toys.lengths:LengthsModel"}
STUDY = """
{head}
seeds: 2
recipes:
  fine-tune: [finetune: {{ epochs: 1, min_steps: 0 }}]
  louder: [louder: {{ times: 3.0 }}, finetune: {{ epochs: 1, min_steps: 0 }}]
  student: {{ base: {{ layers_of: louder, keep: 1 }}, stages: [finetune: {{ epochs: 1, min_steps: 0 }}] }}
  lengths: {{ base: {{ lengths: {{ sharpness: 9.0 }} }} }}
"""


@pytest.fixture(scope="module")
def study(write_study, tmp_path_factory):
    """A study with a toy stage and a toy baseline, its output folder, and how it was planned."""
    folder = tmp_path_factory.mktemp("toys")
    read = LANGUAGE.load(write_study(folder, STUDY))
    planned = prepare(read, folder, folder / "store")
    estimated = estimates(planned, 1e10)
    assert carried_out(read, folder) == (0, 8)
    return planned, estimated, folder / "out"


def carried_out(read, folder, **more):
    options = Options(folder / "out", folder / "store", engine="inline", publish=publish, say=lambda _: None, **more)
    finished = run_study(read, folder, options)
    return finished.failed, finished.runs


def rows_of(out):
    return pq.read_table(out / "results.parquet").to_pylist()


def nodes_of(planned, recipe):
    run = next(run for run in planned.plan.runs if run.recipe == recipe)
    return [planned.plan.nodes[key] for key in run.nodes]


def test_a_stage_from_outside_is_planned_carried_out_and_told(study):
    planned, estimated, out = study
    louder = nodes_of(planned, "louder")[1]
    assert louder.title == "louder: 3 times as loud"
    assert louder.key == nodes_of(planned, "student")[1].key
    assert estimated[louder.key].disk_bytes > 0
    told = next(stage for stage in json.loads((out / "study.json").read_text())["stages"] if stage["stage"] == "louder")
    assert (told["role"], told["runs"], told["metrics"]) == ("changes", 4, {"times": 3.0})
    assert "3 times as loud" in (out / "report.html").read_text(encoding="utf-8")


def test_a_plain_baseline_from_outside_is_one_in_every_respect(study):
    planned, estimated, out = study
    (lengths,) = nodes_of(planned, "lengths")
    assert estimated[lengths.key].disk_bytes == 1000
    (accuracy,) = {row["test_accuracy"] for row in rows_of(out) if row["recipe"] == "lengths"}
    assert Results.load(out).plain_baselines == {"lengths"}
    model = planned.store.path(lengths.key) / "model"
    assert load_predictor(model, baselines=WITH_LENGTHS).labels == ("music", "sport", "trade")
    test = str(planned.data.task.test.files[0])
    assert evaluate_file(model, test, {}, print, baselines=WITH_LENGTHS)["accuracy"] == pytest.approx(accuracy)


def test_the_resolved_study_is_read_again_in_the_same_language(study):
    planned, _, out = study
    again = prepare(LANGUAGE.load(out / "study.yaml"), out, out.parent / "store")
    assert again.plan.nodes.keys() == planned.plan.nodes.keys() == again.cached


SCORED = """forgetting: false
base: {world}/model
data:
  task: {{ kind: KIND, train: {world}/train.jsonl, dev: {world}/dev.jsonl, test: {world}/test.jsonl }}
seeds: 2
metric: METRIC
recipes:
  majority: {{ base: majority }}
  tfidf: {{ base: tfidf }}
  fine-tune: [finetune: {{ epochs: 1, min_steps: 0, select_by: METRIC }}]
"""


def test_a_score_from_outside_judges_and_chooses(write_study, tmp_path):
    text = SCORED.replace("KIND", "classify").replace("METRIC", "sureness")
    assert carried_out(language(kinds=(Sure,)).load(write_study(tmp_path, text)), tmp_path) == (0, 6)
    verdicts = json.loads((tmp_path / "out" / "verdicts.json").read_text())
    assert verdicts["metric"] == "test_sureness"
    assert next(verdict for verdict in verdicts["verdicts"] if verdict["recipe"] == "tfidf")["verdict"] == "better"
    assert json.loads((tmp_path / "out" / "study.json").read_text())["best"]["dev_sureness"] > 0.33
    assert "probability of the right class" in (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    with pytest.raises(SettingsError, match="'sureness' is no score"):
        LANGUAGE.load(write_study(tmp_path, text))


def test_a_loss_from_outside_trains(write_study, tmp_path):
    stages = (*(stage for stage in STAGES if stage is not Finetune), FinetuneBySquares)
    text = "{head}\nseeds: 1\nrecipes:\n  squares: [finetune: {{ epochs: 1, min_steps: 0 }}]\n"
    assert carried_out(language(stages=stages, kinds=(Squared,)).load(write_study(tmp_path, text)), tmp_path) == (0, 1)
    losses = losses_of(tmp_path / "out")
    assert losses
    # 2/3, of three classes that are all the same to the model; cross-entropy would be 1.1.
    assert losses == pytest.approx([2 / 3] * len(losses), abs=0.05)


def losses_of(out):
    return [point["value"] for point in pq.read_table(out / "curves.parquet").to_pylist() if point["curve"] == "loss"]


def test_a_loss_from_outside_whose_items_see_each_other_trains_alike_in_passes_of_any_size(write_study, tmp_path):
    stages = (*(stage for stage in STAGES if stage is not Finetune), FinetuneByContrast)
    # oneDNN's products of a row differ in the last bit by the number of rows, which Adam would magnify further.
    text = (
        "{head}\nseeds: 1\nfast_paths: {{ onednn: false }}\nrecipes:\n"
        "  contrast: [finetune: {{ lr: 1e-2, epochs: 3, min_steps: 0, dropout: 0.0 }}]\n"
        "  top: [finetune: {{ train: 1, lr: 1e-2, epochs: 1, min_steps: 0, dropout: 0.0 }}]\n"
    )
    found = []
    for micro_tokens in (10_000, 40):
        folder = tmp_path / str(micro_tokens)
        folder.mkdir()
        read = language(stages=stages, kinds=(Contrasted,)).load(write_study(folder, text))
        assert carried_out(read, folder, micro_tokens=micro_tokens) == (0, 2)
        found.append(losses_of(folder / "out"))
    whole, cut = found
    assert cut[0] == pytest.approx(whole[0], rel=1e-5)
    assert cut == pytest.approx(whole, abs=0.1)  # Adam magnifies the last bit of small gradients
    # Log of the others in a batch, fifteen, where all are alike; less where classes are told apart.
    assert whole[0] == pytest.approx(2.7, abs=0.2)
    assert min(whole) < whole[0] - 0.3


@pytest.fixture(scope="module")
def graded(write_study, tmp_path_factory):
    """The output folder of a study of a kind of task from outside."""
    folder = tmp_path_factory.mktemp("grades")
    text = SCORED.replace("KIND", "grades").replace("METRIC", "distance")
    assert carried_out(language(kinds=(*KINDS, Grades)).load(write_study(folder, text)), folder) == (0, 6)
    return folder / "out"


def test_a_kind_from_outside_is_learned_by_stages_that_do_not_know_it(graded):
    means = {}
    for row in rows_of(graded):
        means.setdefault(row["recipe"], []).append(row["test_distance"])
    assert means["tfidf"] < means["majority"]  # the less the better
    verdicts = json.loads((graded / "verdicts.json").read_text())["verdicts"]
    assert next(verdict for verdict in verdicts if verdict["recipe"] == "tfidf")["verdict"] == "better"
    assert json.loads((graded / "study.json").read_text())["best"]["recipe"] == "tfidf"


def test_a_model_of_a_kind_from_outside_says_what_it_is_judged_by(graded, tiny_world, acclimate, tmp_path):
    row = next(row for row in rows_of(graded) if row["recipe"] == "tfidf")
    scores = evaluate_file(graded / "best", str(tiny_world / "test.jsonl"), {}, print, kinds=(*KINDS, Grades))
    assert scores["distance"] == pytest.approx(row["test_distance"])
    assert acclimate("predict", graded / "best", tiny_world / "test.jsonl", "--out", tmp_path / "answers.jsonl").returncode == 0
    assert json.loads((tmp_path / "answers.jsonl").read_text().splitlines()[0])["label"] in ("music", "sport", "trade")
    unknown = acclimate("evaluate", graded / "best", tiny_world / "test.jsonl")
    assert (unknown.returncode, "tasks of the kind 'grades', which is not known here" in unknown.stderr) == (2, True)


def test_a_report_tells_what_a_kind_from_outside_has_to_tell(graded):
    results = Results.load(graded)
    assert (results.score.words, results.score.lower_is_better) == ("distance in grades", True)
    assert results.verdict_of("tfidf", "all").claim == "better"
    assert results.chosen == results.best_on_dev(results.recipes) == "tfidf"
    page = (graded / "report.html").read_text(encoding="utf-8")
    assert "distance in grades" in page
    assert "How far from the right grade" in page
