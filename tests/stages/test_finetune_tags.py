"""A transformer learns tags: every word of whole texts, long ones in windows, and answers as plain transformers would."""

import json
import random
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from tests.objectives.given import loss_of_names
from tests.study.conftest import write_jsonl
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
from transformers import AutoModelForTokenClassification, BertConfig, BertForMaskedLM

from acclimate.data.batches import CountOrder
from acclimate.data.model_inputs import word_sequences
from acclimate.data.tokens import TokenStore
from acclimate.errors import Interrupted, SettingsError
from acclimate.evaluation.predictions import read_answers
from acclimate.evaluation.transformer_predictor import TransformerPredictor
from acclimate.modeling.execution import Packed
from acclimate.modeling.folder import ModelFolder
from acclimate.modeling.heads import load_tagger
from acclimate.modeling.source import resolve_base
from acclimate.modeling.tensors import to_tensors
from acclimate.objectives.supervised import Supervised
from acclimate.stages import BASES
from acclimate.stages.base import Context, Runtime
from acclimate.stages.finetune import Finetune
from acclimate.stages.planned import Sizes
from acclimate.study.plan import graph
from acclimate.study.plan.readings import Readings
from acclimate.tasks.opened import Data, DataSettings
from acclimate.training.devices import Devices
from acclimate.training.interrupt import StopRequest
from acclimate.training.progress import Silent

pytestmark = pytest.mark.measured(0)

PLACES, PEOPLE, FILLER = ["paris", "new york", "oslo"], ["ada", "grace hopper", "alan"], ["went", "to", "see", "the", "sea", "and", "then"]
PIECES = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *FILLER, "pa", "##ris", "new", "york", "os", "##lo", "ad", "##a", "grace", "hop",
          "##per", "alan", "."]  # fmt: skip
STAGE = Finetune(lr=5e-3, epochs=12, min_steps=0, dropout=0.0)


def sentence(rng, mentions=3):
    """Words and their tags."""
    words, tags = [], []
    for _ in range(mentions):
        for word in rng.sample(FILLER, 2):
            words, tags = [*words, word], [*tags, "O"]
        kind, name = rng.choice([("loc", rng.choice(PLACES)), ("per", rng.choice(PEOPLE))])
        for number, word in enumerate(name.split()):
            words, tags = [*words, word], [*tags, f"{'I' if number else 'B'}-{kind}"]
    return {"tokens": [*words, "."], "tags": [*tags, "O"]}


def model_of_pieces(folder):
    tokenizer = Tokenizer(models.WordPiece({piece: number for number, piece in enumerate(PIECES)}, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.add_special_tokens(PIECES[:5])
    tokenizer.post_processor = processors.TemplateProcessing(single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)])
    torch.manual_seed(0)
    sizes = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32, "max_position_embeddings": 64}
    BertForMaskedLM(BertConfig(vocab_size=len(PIECES), initializer_range=0.2, **sizes)).save_pretrained(folder)
    tokenizer.save(str(folder / "tokenizer.json"))
    (folder / "tokenizer_config.json").write_text(json.dumps({"tokenizer_class": "BertTokenizer", "mask_token": "[MASK]"}))


class World:
    def __init__(self, folder):
        self.folder = folder
        model_of_pieces(folder / "model")
        rng = random.Random(0)
        for split, count in (("train", 40), ("dev", 12), ("test", 16)):
            # Every fourth is longer than a window, one of them much.
            rows = [sentence(rng, 30 if number == 3 else 8 if number % 4 == 0 else 2) for number in range(count)]
            write_jsonl(folder / f"{split}.jsonl", rows)
        task = {"kind": "tag", **{split: str(folder / f"{split}.jsonl") for split in ("train", "dev", "test")}}
        self.data = Data.open(DataSettings.model_validate({"task": task}), folder, folder / "rejects")
        self.source = resolve_base(str(folder / "model"), folder)
        (start,) = (stage for stage in BASES if stage.role == "start")
        start.of(self.source, random=False).run(None, self.context("start"))
        self.parent = ModelFolder(folder / "start" / "output" / "model")

    def context(self, name, stop_at=0):
        work, output = self.folder / name / "work", self.folder / name / "output"
        for each in (work, output, self.folder / "cache"):
            each.mkdir(parents=True, exist_ok=True)
        stop = StopRequest()
        return Context(
            self.data, "all", 3, name, self.folder / "cache", work, output, Runtime(Devices("float32"), Stopping(stop, stop_at), stop)
        )

    def run(self, stage, name, stop_at=0):
        context = self.context(name, stop_at)
        return stage.run(self.parent, context), context.output


class Stopping(Silent):
    def __init__(self, stop, at):
        self.stop, self.at, self.steps = stop, at, 0

    def step(self, *_):
        self.steps += 1
        if self.steps == self.at:
            self.stop.ask()


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    return World(tmp_path_factory.mktemp("tags"))


@pytest.fixture(scope="module")
def windowed(world):
    """Fine-tuned on windows of 16 tokens."""
    return world.run(STAGE.model_copy(update={"max_length": 16, "stride": 5}), "windowed")


def test_tags_are_learned_from_texts_of_any_length_and_nothing_is_cut(windowed):
    outcome, _ = windowed
    assert outcome.metrics["test_entity_f1"] > 0.9
    assert outcome.metrics["cut_tokens_train"] == 0
    assert outcome.metrics["overlapping_texts_train"] == 11
    assert outcome.metrics["windows_train"] > 40 + 11
    assert outcome.metrics["words_without_piece_test"] == 0
    assert "train texts: 11 of 40 are longer than 16 tokens and are read in overlapping windows" in outcome.notes
    assert outcome.cost.inference_texts_per_second > 0
    assert outcome.cost.tokens > 0


def test_whoever_loads_its_folder_gets_the_same_answers(world, windowed):
    _, output = windowed
    test = world.data.task.test
    found = TransformerPredictor(output / "model", 200).probabilities(*test.inputs, words=test.words)
    answers = read_answers(output / "predictions.parquet", "test", ("predicted", "sure"))
    assert found.argmax(axis=1).tolist() == answers["predicted"].values.tolist()
    np.testing.assert_allclose(found.max(axis=1), answers["sure"].values, atol=1e-5)
    alone = TransformerPredictor(output / "model", 1).probabilities(test.inputs[0][:4], words=test.words.take(np.arange(4)))
    np.testing.assert_allclose(alone, found[: len(alone)], atol=1e-6)


def test_each_piece_of_a_long_text_is_answered_as_plain_transformers_answers_its_window(world, windowed):
    _, output = windowed
    text, words = world.data.task.test.inputs[0][3], world.data.task.test.words.take(np.array([3]))
    found = TransformerPredictor(output / "model", 4096).probabilities([text], words=words)
    tokenizer = Tokenizer.from_file(str(output / "model" / "tokenizer.json"))
    encoding = tokenizer.encode(text, add_special_tokens=False)
    plain = AutoModelForTokenClassification.from_pretrained(output / "model").eval()
    room, count = 14, len(encoding.ids)
    windows = -(-(count - room) // (room - 5)) + 1
    starts = [number * (count - room) // (windows - 1) for number in range(windows)]
    for number, (first, last) in enumerate(words.values.tolist()):
        piece = next(place for place, (begin, end) in enumerate(encoding.offsets) if begin < last and end > first)
        around = {
            start: min(piece - start if start else 99, start + room - 1 - piece if start + room < count else 99)
            for start in starts
            if start <= piece < start + room
        }
        start = max(around, key=lambda each: (around[each], each))
        with torch.no_grad():
            logits = plain(input_ids=torch.tensor([[2, *encoding.ids[start : start + room], 3]])).logits[0, 1 + piece - start]
        np.testing.assert_allclose(found[number], logits.double().softmax(-1).numpy(), atol=1e-5)


@pytest.mark.parametrize("subwords", ["all", "first"])
def test_loss_and_gradients_of_a_batch_are_those_of_plain_padded_transformers(world, subwords, tmp_path):
    task = world.data.task
    rows = np.array([row for row in range(len(task.train)) if row % 4 and row != 3])[:9]
    split = task.train.take(rows)
    model = load_tagger(world.parent, task.names, STAGE.head, 0, 0.0)
    tokenizer = world.parent.tokenizer()
    store = TokenStore.build(tmp_path / "store", iter(split.inputs[0]), tokenizer, "key")
    texts = word_sequences(store, tokenizer, split.inputs[0], split.words, 64)
    texts = texts if subwords == "all" else texts.answering()
    objective = Supervised(texts, split, CountOrder(len(texts), 9, 0), loss_of_names("cross_entropy", np.ones(len(task.names)), "tags"))
    batch = objective.batch(0)
    loss = objective.loss(Packed(model), to_tensors(batch, "cpu")) / objective.count(batch)
    loss.backward()
    gradients = {name: parameter.grad.clone() for name, parameter in model.named_parameters() if parameter.grad is not None}

    # As run_ner aligns them, with the later pieces of B-x as I-x.
    plain = load_tagger(world.parent, task.names, STAGE.head, 0, 0.0).train()
    order = objective.order.batch(0)
    encodings = [tokenizer.encode(split.inputs[0][row].split(), is_pretokenized=True) for row in order]
    longest = max(len(encoding.ids) for encoding in encodings)
    ids, mask, labels = (torch.full((len(order), longest), value) for value in (0, 0, -100))
    for row, encoding in enumerate(encodings):
        ids[row, : len(encoding.ids)] = torch.tensor(encoding.ids)
        mask[row, : len(encoding.ids)] = 1
        before = None
        for place, word in enumerate(encoding.word_ids):
            if word is not None and (word != before or subwords == "all"):
                tag = task.names[split.gold[order[row]][word]]
                labels[row, place] = task.names.index(tag if word != before else tag.replace("B-", "I-"))
            before = word
    expected = plain(input_ids=ids, attention_mask=mask, labels=labels).loss
    expected.backward()
    torch.testing.assert_close(loss, expected, rtol=1e-5, atol=1e-6)
    wanted = dict(plain.named_parameters())
    assert set(gradients) == {name for name, parameter in wanted.items() if parameter.grad is not None}
    largest = max(float(gradient.abs().max()) for gradient in gradients.values())
    for name, gradient in gradients.items():
        assert (gradient - wanted[name].grad).abs().max() <= 1e-5 * largest, name


@pytest.mark.parametrize("train", ["head", 1])
def test_frozen_layers_run_once_over_windows_and_change_nothing(world, train):
    stage = STAGE.model_copy(update={"train": train, "epochs": 2.0, "max_length": 16, "lr": 1e-2})
    kept, output = world.run(stage, f"kept {train}")
    context = world.context(f"not kept {train}")
    without = replace(context, runtime=replace(context.runtime, fast=context.runtime.fast.model_copy(update={"frozen_cache": False})))
    again = stage.run(world.parent, without)
    assert kept.metrics["dev_entity_f1"] == pytest.approx(again.metrics["dev_entity_f1"])
    one, two = (ModelFolder(each / "model").tensors() for each in (output, without.output))
    assert all(torch.allclose(tensor, two[name], atol=1e-5) for name, tensor in one.items())


def test_stopped_within_windows_and_continued_it_ends_bitwise_equal(world):
    stage = STAGE.model_copy(
        update={"epochs": 2.0, "max_length": 16, "subwords": "first", "class_weights": "balanced", "sampler": "balanced"}
    )
    whole, expected = world.run(stage, "whole")
    with pytest.raises(Interrupted):
        world.run(stage, "stopped", stop_at=4)
    outcome, output = world.run(stage, "stopped")
    assert outcome.metrics == whole.metrics
    for name in ("model/model.safetensors", "model/config.json", "predictions.parquet"):
        assert (output / name).read_bytes() == (expected / name).read_bytes()


def test_the_plan_knows_how_many_tokens_windows_come_to(world, windowed):
    outcome, _ = windowed
    stage = STAGE.model_copy(update={"max_length": 16, "stride": 5})
    node = graph.Node("key", stage, "parent", 0, "all", "", ())
    work = stage.work(Sizes.of(world.source), Readings(world.data).read_by(node, world.source, Runtime(None, None, None).fast))
    assert work.tokens == outcome.cost.tokens


def test_settings_of_words_are_refused_where_texts_are_labelled_and_leave_no_trace_in_keys(world, tmp_path):
    given = Sizes.of(world.source)
    with pytest.raises(SettingsError, match="stride: windows of 16 tokens cannot overlap by 14"):
        Finetune(max_length=16, stride=14).check(given, world.data.task)
    write_jsonl(tmp_path / "all.jsonl", [{"text": f"text {number}", "label": "ab"[number % 2]} for number in range(30)])
    labelled = Data.open(DataSettings.model_validate({"task": str(tmp_path / "all.jsonl")}), Path(), tmp_path).task
    for name, value in (("subwords", "first"), ("stride", 3)):
        with pytest.raises(SettingsError, match=f"{name}: classify has one answer a text, not one a word"):
            Finetune(**{name: value}).check(given, labelled)
    assert not {"subwords", "stride"} & Finetune().keyed().keys()
    assert Finetune(subwords="first", stride=3).keyed().items() >= {"subwords": "first", "stride": 3}.items()
