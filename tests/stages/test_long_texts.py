"""Texts that are longer than the window: read whole, in windows whose answers are pooled, cut and told, or refused."""

import json
import random
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from tests.study.conftest import WORDS, sentence, tiny_model, write_jsonl
from transformers import AutoModelForSequenceClassification, AutoTokenizer

from acclimate.errors import DataError, Interrupted, ModelError
from acclimate.evaluation.predictions import read_answers
from acclimate.evaluation.predictor import load_predictor
from acclimate.modeling.folder import ModelFolder
from acclimate.modeling.source import resolve_base
from acclimate.report.pages.long_text_use import told_of
from acclimate.stages import BASES
from acclimate.stages.base import Context, Runtime
from acclimate.stages.bilstm import Bilstm
from acclimate.stages.finetune import Finetune
from acclimate.stages.planned import Sizes
from acclimate.study.plan import graph
from acclimate.study.plan.readings import Readings
from acclimate.tasks.opened import Data, DataSettings
from acclimate.training.devices import Devices
from acclimate.training.interrupt import StopRequest
from acclimate.training.progress import Silent

ROOM = 14  # tokens of text in a window of 16; each word of the world is one
WINDOWS = Finetune(lr=1e-2, epochs=6.0, min_steps=0, patience=None, dropout=0.0, max_length=16, long="windows", stride=4)
CUT = WINDOWS.model_copy(update={"long": None, "stride": None})


def long_text(topic, rng, number):
    """Short, of exactly a window, a token more, or of several windows; what it is about stands anywhere."""
    words = (f"{sentence(topic, rng)} " * 9).split()
    return " ".join(words[: (8, ROOM, ROOM + 1, 47)[number % 4]])


class World:
    def __init__(self, folder):
        self.folder = folder
        tiny_model(folder / "model")
        rng, topics = random.Random(0), list(WORDS)
        self.data = {"classify": {}, "multilabel": {"kind": "multilabel"}}
        for split, count in (("train", 24), ("dev", 12), ("test", 12)):
            rows = [(long_text(topics[number % 3], rng, number), topics[number % 3]) for number in range(count)]
            write_jsonl(folder / f"{split}.jsonl", [{"text": text, "label": topic} for text, topic in rows])
            sets = [{"text": text, "labels": [topic, "short"] if len(text) < 60 else [topic]} for text, topic in rows]
            write_jsonl(folder / f"sets-{split}.jsonl", sets)
            self.data["classify"][split] = str(folder / f"{split}.jsonl")
            self.data["multilabel"][split] = str(folder / f"sets-{split}.jsonl")
        self.data = {kind: Data.open(DataSettings.model_validate({"task": task}), folder) for kind, task in self.data.items()}
        self.source = resolve_base(str(folder / "model"), folder)
        (start,) = (stage for stage in BASES if stage.role == "start")
        start.of(self.source, random=False).run(None, self.context("start"))
        self.parent = ModelFolder(folder / "start" / "output" / "model")

    def context(self, name, stop_at=0, kind="classify"):
        work, output = self.folder / name / "work", self.folder / name / "output"
        for each in (work, output, self.folder / "cache"):
            each.mkdir(parents=True, exist_ok=True)
        stop = StopRequest()
        runtime = Runtime(Devices("float32"), Stopping(stop, stop_at), stop)
        return Context(self.data[kind], "all", 3, name, self.folder / "cache", work, output, runtime)

    def run(self, stage, name, stop_at=0, kind="classify"):
        context = self.context(name, stop_at, kind)
        return stage.run(self.parent, context), context.output

    def reads(self, stage, counted=False):
        node = graph.Node("key", stage, "parent", 0, "all", "", ())
        return Readings(self.data["classify"]).read_by(node, self.source, counted=counted)


class Stopping(Silent):
    def __init__(self, stop, at):
        self.stop, self.at, self.steps = stop, at, 0

    def step(self, *_):
        self.steps += 1
        if self.steps == self.at:
            self.stop.ask()


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    return World(tmp_path_factory.mktemp("long"))


@pytest.fixture(scope="module")
def windowed(world):
    return world.run(WINDOWS, "windowed")


@pytest.fixture(scope="module")
def cut(world):
    return world.run(CUT, "cut")


def plain(tokenizer, model, text, pool, link):
    """What plain transformers says of a text in the windows of its own tokenizer."""
    options = {"truncation": True, "max_length": 16, "stride": 4, "return_overflowing_tokens": True, "padding": True}
    windows = tokenizer(text, return_tensors="pt", **options)
    windows.pop("overflow_to_sample_mapping")
    with torch.no_grad():
        found = link(model(**windows).logits.double())
    if pool == "mean" or len(found) == 1:
        return found.mean(0).numpy()
    highest = found.amax(0)
    return (highest / highest.sum() if link is softmax else highest).numpy()


def softmax(logits):
    return logits.softmax(-1)


TEXTS = ["", "goal", "the goal of the match", " ".join(["match"] * ROOM), " ".join(["song"] * (ROOM + 1)), " ".join(["bank", "of"] * 2500)]


@pytest.mark.measured(0)
@pytest.mark.parametrize("pool", ["mean", "max"])
@pytest.mark.parametrize(("kind", "link"), [("classify", softmax), ("multilabel", torch.sigmoid)])
def test_a_text_of_any_length_is_answered_as_plain_transformers_answers_its_windows(world, kind, link, pool, monkeypatch):
    _, output = world.run(WINDOWS.model_copy(update={"pool": pool}), f"{kind} {pool}", kind=kind)
    folder, test = output / "model", world.data[kind].task.test
    config = json.loads((folder / "config.json").read_text())
    assert (config["acclimate_pool"], config["acclimate_stride"], config["acclimate_max_length"]) == (pool, 4, 16)
    predictor = load_predictor(folder, max_tokens=100)
    texts = [*TEXTS, *test.inputs[0][:4]]
    loaded = AutoTokenizer.from_pretrained(folder), AutoModelForSequenceClassification.from_pretrained(folder).eval()
    expected = np.stack([plain(*loaded, text, pool, link) for text in texts])
    np.testing.assert_allclose(predictor.probabilities(texts), expected, atol=1e-5)
    # So does the code on its card.
    monkeypatch.chdir(folder)
    code: dict[str, Any] = {}
    told = told_of(pool, 4, 16, config["problem_type"])
    exec(told["plain_use"], code)
    np.testing.assert_allclose(code["probabilities"](texts[-1]).numpy(), expected[-1], atol=1e-5)
    written = read_answers(output / "predictions.parquet", "test", ("predicted", "probabilities"))
    np.testing.assert_allclose(written["probabilities"], predictor.probabilities(test.inputs[0]), atol=1e-5)


def test_nothing_is_cut_and_windows_are_counted(windowed):
    outcome, _ = windowed
    metrics = outcome.metrics
    assert [metrics[f"cut_tokens_{split}"] for split in ("train", "dev", "test")] == [0, 0, 0]
    assert metrics["overlapping_texts_train"] == 12
    assert metrics["windows_train"] == 6 * (1 + 1 + 2 + 5)
    assert "train texts: 12 of 24 are longer than 16 tokens and are read in overlapping windows" in outcome.notes


def test_dev_chooses_how_windows_are_pooled_and_it_is_told(world, windowed):
    outcome, output = windowed
    (note,) = (note for note in outcome.notes if note.startswith("windows pooled"))
    chosen = outcome.metrics["pool"]
    assert note.startswith(f"windows pooled by {chosen}, chosen on 12 dev texts, 6 of them longer than a window (macro F1: mean ")
    assert json.loads((output / "model" / "config.json").read_text())["acclimate_pool"] == chosen
    scores = {pool: world.run(WINDOWS.model_copy(update={"pool": pool}), f"said {pool}")[0].log for pool in ("mean", "max")}
    best = [max(rows, key=lambda row: row["score"])["score"] for rows in zip(*(
        [line for line in log if "score" in line] for log in scores.values()), strict=True)]  # fmt: skip
    assert [line["score"] for line in outcome.log if "score" in line] == best


def test_a_text_of_many_windows_counts_as_much_as_one_of_a_single_window(world):
    """The gradient of a batch is that of the mean over texts of the mean over windows, whatever is in one forward pass."""
    from acclimate.data.batches import CountOrder
    from acclimate.data.model_inputs import text_windows
    from acclimate.data.tokens import TokenStore
    from acclimate.modeling.execution import Packed
    from acclimate.modeling.heads import load_classifier
    from acclimate.modeling.tensors import to_tensors
    from acclimate.objectives.losses.cross_entropy import CrossEntropy
    from acclimate.objectives.losses.of_names import OfClasses
    from acclimate.objectives.supervised import Supervised
    from acclimate.objectives.whole_texts import WholeTexts

    task, weights = world.data["classify"].task, np.array([1.0, 2.0, 0.5])
    store = TokenStore.build(world.folder / "store", iter(task.train.inputs[0]), world.parent.tokenizer(), "key")
    texts = text_windows(store, world.parent.tokenizer(), 16, 4)
    objective = WholeTexts(Supervised(texts, task.train, CountOrder(24, 8, 0), OfClasses(weights, CrossEntropy())))
    model = Packed(load_classifier(world.parent, task.names, WINDOWS.head, 0, 0.0, "softmax"))
    batch, rows = objective.batch(0), objective.items.order.batch(0)
    count = objective.count(batch)
    assert count == pytest.approx(weights[task.train.gold[rows]].sum())
    with torch.no_grad():
        whole = objective.loss(model, to_tensors(batch, "cpu")) / count
        parts = sum(objective.loss(model, to_tensors(part, "cpu")) for part in batch.micro(40)) / count
        losses = []
        for row in rows:
            windows = np.flatnonzero(texts.document == row)
            logits = model(to_tensors(texts.batch(windows), "cpu"))
            gold = torch.full((len(windows),), int(task.train.gold[row]))
            losses.append(weights[task.train.gold[row]] * torch.nn.functional.cross_entropy(logits, gold))
    torch.testing.assert_close(whole, (sum(losses) / count).float())
    torch.testing.assert_close(parts, whole)


def test_where_no_text_is_longer_than_the_window_windows_change_nothing(world):
    short = {"max_length": 64, "stride": None}
    outcome, output = world.run(WINDOWS.model_copy(update=short), "all short")
    other, expected = world.run(CUT.model_copy(update=short), "all short, cut")
    assert (output / "model/model.safetensors").read_bytes() == (expected / "model/model.safetensors").read_bytes()
    assert (output / "predictions.parquet").read_bytes() == (expected / "predictions.parquet").read_bytes()
    assert "windows pooled by mean: no text of dev is longer than a window, so that dev cannot choose" in outcome.notes
    assert {name: outcome.metrics[name] for name in other.metrics} == other.metrics


@pytest.mark.parametrize("train", ["head", 1])
def test_frozen_layers_run_once_over_windows_and_change_nothing(world, train):
    stage = WINDOWS.model_copy(update={"train": train})
    kept, output = world.run(stage, f"kept {train}")
    context = world.context(f"not kept {train}")
    without = replace(context, runtime=replace(context.runtime, fast=context.runtime.fast.model_copy(update={"frozen_cache": False})))
    again = stage.run(world.parent, without)
    assert kept.metrics["dev_macro_f1"] == pytest.approx(again.metrics["dev_macro_f1"])
    one, two = (ModelFolder(each / "model").tensors() for each in (output, without.output))
    assert all(torch.allclose(tensor, two[name], atol=1e-5) for name, tensor in one.items())


def test_stopped_within_windows_and_continued_it_ends_bitwise_equal(world, windowed):
    whole, expected = windowed
    with pytest.raises(Interrupted):
        world.run(WINDOWS, "stopped", stop_at=3)
    outcome, output = world.run(WINDOWS, "stopped")
    assert outcome.metrics == whole.metrics
    assert outcome.notes == whole.notes
    for name in ("model/model.safetensors", "model/config.json", "predictions.parquet"):
        assert (output / name).read_bytes() == (expected / name).read_bytes()


def test_the_plan_knows_how_many_tokens_windows_come_to(world, windowed):
    work = WINDOWS.work(Sizes.of(world.source), world.reads(WINDOWS))
    assert work.tokens == windowed[0].cost.tokens


def test_tokens_that_are_cut_are_told_before_and_after_with_what_to_do(world, cut):
    (note,) = CUT.notes(Sizes.of(world.source), lambda: world.reads(CUT))
    shares = "of all tokens 40.5 % in train, 40.5 % in dev, 40.5 % in test are not read"
    assert note == f"texts longer than 16 tokens are cut: {shares} — `long: windows` reads texts whole, a larger `max_length` cuts less"
    assert note in cut[0].notes
    assert WINDOWS.notes(Sizes.of(world.source), lambda: world.reads(WINDOWS)) == ()
    roomy = CUT.model_copy(update={"max_length": 64})
    assert roomy.notes(Sizes.of(world.source), lambda: world.reads(roomy)) == ()


def test_a_folder_whose_texts_were_cut_cuts_them(cut):
    _, output = cut
    assert not {"acclimate_pool", "acclimate_stride"} & json.loads((output / "model" / "config.json").read_text()).keys()
    predictor = load_predictor(output / "model")
    text = " ".join(["song", "of"] * 30)
    np.testing.assert_allclose(predictor.probabilities([text]), predictor.probabilities([" ".join(text.split()[:ROOM])]), atol=1e-6)


@pytest.mark.parametrize(
    ("damage", "told"),
    [
        ({"acclimate_pool": "median"}, "acclimate_pool is 'median'; windows of a text are pooled by mean or max"),
        ({"acclimate_stride": "4"}, "acclimate_stride is '4'; windows of 16 tokens overlap by fewer"),
        ({"acclimate_stride": 14}, "acclimate_stride is 14; windows of 16 tokens overlap by fewer"),
    ],
)
def test_a_folder_whose_windows_cannot_be_read_is_refused(windowed, damage, told, tmp_path):
    folder = tmp_path / "model"
    folder.mkdir()
    for file in (windowed[1] / "model").iterdir():
        (folder / file.name).write_bytes(file.read_bytes())
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | damage))
    with pytest.raises(ModelError, match=rf"config\.json: {told}"):
        load_predictor(folder)


def test_error_refuses_texts_that_are_too_long_with_their_number_and_the_longest(world):
    stage = CUT.model_copy(update={"long": "error"})
    with pytest.raises(DataError) as caught:
        stage.check_texts(Sizes.of(world.source), lambda: world.reads(stage, counted=True))
    assert "12 of 24 in train, 6 of 12 in dev, 6 of 12 in test; the longest has 49" in str(caught.value)
    assert "`long: windows` reads texts whole" in str(caught.value)
    roomy = stage.model_copy(update={"max_length": 49})
    roomy.check_texts(Sizes.of(world.source), lambda: world.reads(roomy, counted=True))
    with pytest.raises(DataError, match="long: error, and of the train texts some are longer than 16 tokens"):
        world.run(stage, "refused")


def test_a_plain_network_says_too_what_it_cuts(world):
    stage = Bilstm(max_length=12, epochs=1, min_steps=0, embedding=8, hidden=8)
    outcome = stage.run(None, world.context("bilstm"))
    (note,) = (note for note in outcome.notes if " are cut: " in note)
    assert note == stage.notes(Sizes(), lambda: world.reads(stage))[0]
    assert note.startswith("texts longer than 12 words are cut: of all words ")
    assert note.endswith(" — a larger `max_length` cuts less")
    assert Bilstm().notes(Sizes(), lambda: world.reads(stage)) == ()
