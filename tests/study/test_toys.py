"""What CONTRIBUTING calls one file and one line is done here from outside, without a change in `src`."""

import json

import pyarrow.parquet as pq
import pytest
from tests.toys.lengths import Lengths
from tests.toys.louder import Louder

from acclimate.report.publish import publish
from acclimate.report.results.finished import Results
from acclimate.stages import STAGES
from acclimate.study.language.language import language
from acclimate.study.plan.estimate import estimates
from acclimate.study.plan.prepared import prepare
from acclimate.study.run import Options, run_study

LANGUAGE = language(stages=(*STAGES, Louder, Lengths))
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
    options = Options(folder / "out", folder / "store", engine="inline", publish=publish, say=lambda _: None)
    finished = run_study(read, folder, options)
    assert (finished.failed, finished.runs) == (0, 8)
    return planned, estimated, folder / "out"


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
    rows = [row for row in pq.read_table(out / "results.parquet").to_pylist() if row["recipe"] == "lengths"]
    assert len(rows) == 2
    assert Results.load(out).plain_baselines == {"lengths"}


def test_the_resolved_study_is_read_again_in_the_same_language(study):
    planned, _, out = study
    again = prepare(LANGUAGE.load(out / "study.yaml"), out, out.parent / "store")
    assert again.plan.nodes.keys() == planned.plan.nodes.keys() == again.cached
