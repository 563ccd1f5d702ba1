"""The plan's tokens are those that are trained on, whatever a stage reads; and text that a base cannot read is said, or refused."""

import json
import random

import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from acclimate.cli.verbs import app
from acclimate.errors import DataError
from acclimate.study.language.study import load_study
from acclimate.study.plan.estimate import estimate
from acclimate.study.plan.prepared import needed, prepare

STUDY = """forgetting: false
base: {world}/model
data:
  domain: {world}/domain.jsonl
  corpora: {{ long: long.txt }}
  task:
    train: {world}/train.jsonl
    dev: {world}/dev.jsonl
    test: {world}/test.jsonl
    unlabeled: more.jsonl
seeds: 1
labels: [40]
recipes:
  epochs:
    - pretrain: {{ epochs: 2, batch_tokens: 512, lr: 1e-3, patience: null }}
    - finetune: {{ epochs: 2, min_steps: 0, patience: null }}
  budget:
    - pretrain: {{ tokens: 3000, batch_tokens: 300, head_warmup: 0, patience: null }}
    - finetune: {{ train: head, epochs: 2, min_steps: 8, patience: null, max_length: 8 }}
  everything of the task:
    - pretrain: {{ corpus: task, include: [dev, test], epochs: 1, batch_tokens: 512, patience: null }}
    - finetune: {{ epochs: 1, min_steps: 0 }}
  mixed twice:
    - pretrain: {{ corpus: {{ domain: 0.5, task: 2 }}, epochs: 1, batch_tokens: 512, batch_ramp: 0.5, patience: null }}
    - pretrain: {{ corpus: long, epochs: 1, max_length: 20, batch_tokens: 200, heldout_share: 0.1, patience: null }}
    - finetune: {{ train: 1, epochs: 1, min_steps: 0 }}
  scratch:
    base: {{ random: {{ layers: 1, hidden: 16, heads: 2 }} }}
    stages:
      - pretrain: {{ corpus: domain, tokens: 100, batch_tokens: 512 }}
      - finetune: {{ epochs: 1, min_steps: 0 }}
"""


def write(folder, write_study, text):
    rng = random.Random(1)
    words = ["the", "market", "song", "goal", "of", "team", "band", "price"]
    sentence = lambda count: " ".join(rng.choices(words, k=count))  # noqa: E731
    (folder / "long.txt").write_text("\n\n".join(sentence(rng.randint(10, 90)) for _ in range(60)))
    (folder / "more.jsonl").write_text("".join(json.dumps({"text": sentence(30)}) + "\n" for _ in range(50)))
    return write_study(folder, text)


@pytest.fixture(scope="module")
def done(tmp_path_factory, write_study):
    """(of each stage that trains its title, estimate, trained tokens and metrics; the results' folder)."""
    folder = tmp_path_factory.mktemp("truth")
    file = write(folder, write_study, STUDY)
    before = prepare(load_study(file), folder, folder / ".acclimate")
    plan = {key: estimate(node, before, 1e9) for key, node in before.plan.nodes.items()}
    result = CliRunner().invoke(app, ["study", str(file), "--engine", "inline", "--threads", "1"])
    assert result.exit_code == 0, result.output
    found = []
    for key, node in before.plan.nodes.items():
        metrics = json.loads((before.store.path(key) / "metrics.json").read_text())["metrics"]
        if "tokens" in metrics:
            found.append((node.title, plan[key], metrics["tokens"], metrics))
    return found, folder / "results/study"


@pytest.fixture(scope="module")
def planned_and_trained(done):
    return done[0]


def test_the_share_of_unknown_tokens_stands_with_the_results(done):
    rows = pq.read_table(done[1] / "results.parquet")["unknown_share"].to_pylist()
    assert rows == [0.0] * 5
    metrics = [metrics for *_, metrics in done[0]]
    assert all("unknown_share" in each or "unknown_share_dev" in each for each in metrics)


def test_the_plan_has_the_tokens_that_are_trained_on(planned_and_trained):
    assert len(planned_and_trained) == 11
    wrong = {
        title: (planned.tokens, trained) for title, planned, trained, _ in planned_and_trained if abs(planned.tokens / trained - 1) > 0.03
    }
    assert not wrong


def test_what_corpora_take_in_the_cache_is_planned(planned_and_trained):
    pretrained = [(planned, metrics) for _, planned, _, metrics in planned_and_trained if "corpus_tokens" in metrics]
    assert len(pretrained) == 6
    for planned, metrics in pretrained:
        joined = 2 if len(metrics["corpora"]) > 1 else 1
        assert planned.cache_bytes == pytest.approx(joined * (2 * metrics["corpus_tokens"] + 8 * metrics["corpus_documents"]), rel=0.02)


NO_DIGITS = str.maketrans("0123456789_", "កខគឃងចឆជឈញដ")

KHMER = """forgetting: false
base: {world}/model
data: {{ domain: khmer.txt }}
seeds: 1
recipes:
  D: [pretrain: {{ epochs: 1 }}]
"""


@pytest.mark.parametrize(
    "text",
    ["ចចភ នថឍគ\n" * 40, "acgt" * 30 + "\n", "\x01\x02 \x03\n" * 5, "ហ" * 100_000 + "\n"],
    ids=["another script", "words of over a hundred characters", "control characters", "one long document"],
)
def test_text_of_which_nothing_can_be_masked_is_refused_when_it_is_planned(tmp_path, write_study, text):
    file = write_study(tmp_path, KHMER)
    (tmp_path / "khmer.txt").write_text(text)
    with pytest.raises(DataError, match=r"every token of the corpus 'domain' is unknown to this vocabulary: nothing can be masked; choose"):
        prepare(load_study(file), tmp_path, tmp_path / "store")
    assert needed(load_study(file), tmp_path, tmp_path / "store")  # whoever only asks for keys is not kept from them


@pytest.mark.measured(0)
def test_a_single_word_that_is_known_is_found_though_no_sample_holds_it(tmp_path, write_study):
    file = write_study(tmp_path, KHMER)
    (tmp_path / "khmer.txt").write_text("ចចភ នថឍគ ទគខភឝបម ឡដឋតណខ\n" * 20_001 + "market\n" + "បឋឈហ\n" * 20_000)
    prepared = prepare(load_study(file), tmp_path, tmp_path / "store")
    (note,) = prepared.readings.notes(prepared.plan)
    assert "MOSTLY UNREADABLE: 100.0 % of the tokens of 'domain'" in note


TASK_OF_KHMER = """forgetting: false
base: {world}/model
data: {{ task: task.jsonl }}
seeds: 1
recipes:
  T: [pretrain: {{ corpus: task }}, finetune]
"""


def test_a_task_of_which_nothing_can_be_masked_is_refused_however_large_it_is(tmp_path, write_study):
    file = write_study(tmp_path, TASK_OF_KHMER)
    rows = ({"text": f"{'ចចភ នថឍគ ទគខភឝបម ' * 200}{number:_}".translate(NO_DIGITS), "label": "ab"[number % 2]} for number in range(200))
    (tmp_path / "task.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    with pytest.raises(DataError, match=r"every token of the corpus 'task' is unknown to this vocabulary: nothing can be masked; choose"):
        prepare(load_study(file), tmp_path, tmp_path / "store")


SOME = """forgetting: false
base: {world}/model
data: {{ domain: half.txt, task: {{ train: {world}/train.jsonl, dev: {world}/dev.jsonl, test: {world}/test.jsonl }} }}
seeds: 1
recipes:
  D: [pretrain: {{ epochs: 1 }}, finetune: {{ epochs: 1 }}]
"""


def test_the_plan_shows_the_share_of_unknown_tokens_and_warns(tmp_path, write_study):
    file = write_study(tmp_path, SOME)
    (tmp_path / "half.txt").write_text("the market ចចភ\n" * 50)
    shown = CliRunner().invoke(app, ["plan", str(file)])
    assert shown.exit_code == 0, shown.output
    assert "vocabulary of model: domain 33.3 %, task train 0.0 %, task dev 0.0 %, task test 0.0 %" in shown.output
    assert "33.3 % of the tokens of 'domain' are unknown to this vocabulary, and no model can read them" in shown.output


def test_what_can_be_read_is_not_remarked_on(tmp_path, write_study):
    file = write_study(tmp_path, SOME)
    (tmp_path / "half.txt").write_text("the market\n" * 50)
    shown = CliRunner().invoke(app, ["plan", str(file)])
    assert "domain 0.0 %" in shown.output
    assert "note:" not in shown.output
