"""`finetune: {auxiliary: ...}`: a task and the words of a text are learned in one stage, by two heads on one body."""

import math
import random
from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch
from hypothesis import given as drawn
from hypothesis import strategies
from tests.stages.test_every_stage import context, files, world  # noqa: F401
from tests.stages.test_finetune_decoders import a_world
from tests.study.conftest import write_jsonl
from transformers import AutoModelForCausalLM, AutoModelForMaskedLM

from acclimate.errors import Interrupted, SettingsError
from acclimate.modeling.folder import ModelFolder
from acclimate.modeling.head_settings import HeadSettings
from acclimate.modeling.heads import load_classifier, load_mlm
from acclimate.modeling.tensors import to_tensors
from acclimate.modeling.two_heads import share_body
from acclimate.stages.auxiliary_text import AuxiliaryText
from acclimate.stages.finetune import Finetune
from acclimate.stages.learning_answers import check_learning
from acclimate.stages.planned import Sizes
from acclimate.stages.pretraining_masks import masked_reading
from acclimate.stages.pretraining_next import next_reading
from acclimate.stages.trainer import EncoderTrainer
from acclimate.tasks.generate import Generate
from acclimate.tasks.opened import Data, DataSettings
from acclimate.training.alternating import Turns

FEW = {"lr": 1e-2, "epochs": 12, "min_steps": 0, "batch_size": 8, "patience": None}


@pytest.fixture
def encoder(world):  # noqa: F811
    return replace(world.others[1], folder=world.folder)  # which knows masked words


@drawn(strategies.integers(1, 300), strategies.integers(0, 300))
def test_steps_that_read_text_are_spread_evenly_and_none_is_lost(labelled, words):
    turns = Turns(labelled, words)
    of_words = [turns.of_words(step) for step in range(turns.steps)]
    assert sum(of_words) == words
    assert [turns.read(step) for step in range(turns.steps + 1)] == [sum(of_words[:step]) for step in range(turns.steps + 1)]
    for step in range(turns.steps + 1):  # never a step ahead of its share, nor one behind
        assert abs(sum(of_words[:step]) - step * words / turns.steps) < 1
    assert turns.whole(labelled) == turns.steps


def heads_of(world, here, stage):  # noqa: F811
    """The trainer of such a stage, with its two heads, and the text that it reads."""
    task = world.data.task
    head = task.kind.head(task.names, "sequence")
    model = load_classifier(world.parent, head.names, HeadSettings(), here.seed, 0.0, head.link)
    trainer = EncoderTrainer.of(here, world.parent, model, stage)
    return trainer, AuxiliaryText.of(stage.auxiliary, trainer, world.parent, here, 0.0)


@pytest.mark.parametrize("form", ["encoder", "decoder"])
def test_a_step_that_reads_text_has_the_loss_and_the_gradients_of_the_model_for_words_alone(form, encoder, tmp_path):
    its = encoder if form == "encoder" else a_world(tmp_path, "gpt2", "classify")
    corpus = "domain" if form == "encoder" else "task"
    stage = Finetune(**FEW, auxiliary={"corpus": corpus, "tokens": 400, "batch_tokens": 128, "max_length": 32})
    here = context(its, tmp_path / "two")
    trainer, text = heads_of(its, here, stage)
    batch = to_tensors(text.learned.batch(0), trainer.devices.device)
    loss = text.learned.loss(trainer.module.train(), batch)
    loss.backward()
    alone, _ = load_mlm(its.parent, here.seed, 0.0)
    pretrain = stage.auxiliary.pretraining.for_model(its.parent.family)
    reading = (masked_reading if form == "encoder" else next_reading)(pretrain, its.parent, context(its, tmp_path / "alone"))
    network = reading.network(EncoderTrainer.of(context(its, tmp_path / "alone"), its.parent, alone, pretrain).packed)
    objective, _ = reading.learned(here.seed)
    expected = objective.loss(network.train(), batch)
    expected.backward()
    torch.testing.assert_close(loss, expected)
    found = {name: parameter.grad for name, parameter in text.words.named_parameters() if parameter.grad is not None}
    assert found
    for name, parameter in alone.named_parameters():
        torch.testing.assert_close(found[name], parameter.grad, msg=name)
    # The classifier stands on the very same weights, and what it has of its own is not touched by text.
    assert text.words.base_model is trainer.model.base_model
    assert text.words.get_output_embeddings().weight is trainer.model.get_input_embeddings().weight
    assert all(p.grad is None for name, p in trainer.model.named_parameters() if not name.startswith(trainer.model.base_model_prefix))


@pytest.mark.parametrize(("form", "share"), [("encoder", 0.25), ("decoder", 0.0)])
def test_memory_is_guessed_with_the_logits_of_the_words_that_are_masked(form, share, encoder, tmp_path, monkeypatch):
    its = encoder if form == "encoder" else a_world(tmp_path, "gpt2", "classify")
    shares, task = [], its.data.task
    monkeypatch.setattr("acclimate.stages.trainer.forward_tokens", lambda _, __, share: shares.append(share) or 512)
    for auxiliary in (None, {"corpus": "task", "mask_rate": share or None}):
        stage = Finetune(**FEW, auxiliary=auxiliary)
        stage._trainer(its.parent, context(its, tmp_path / "here"), task.kind.head(task.names, "sequence"), None)
    assert shares == [0.0, share]


def reading(world, folder, words):  # noqa: F811
    """The world with a corpus that holds the first of these words, again and again, and seldom another."""
    rng = random.Random(0)
    weights = [8, *[2 / (len(words) - 1)] * (len(words) - 1)]
    write_jsonl(folder / "skewed.jsonl", [{"text": " ".join(rng.choices(words, weights, k=rng.randint(4, 7)))} for _ in range(300)])
    task = {split: str(world.folder / f"{split}.jsonl") for split in ("train", "dev", "test")}
    settings = DataSettings.model_validate({"task": task, "corpora": {"skewed": str(folder / "skewed.jsonl")}})
    return replace(world, data=Data.open(settings, folder, folder / "rejects"))


@pytest.mark.measured(0)
@pytest.mark.parametrize("form", ["encoder", "decoder"])
def test_both_are_learned_and_both_are_handed_on(form, encoder, tmp_path):
    its = encoder if form == "encoder" else a_world(tmp_path, "qwen3", "classify")
    its = reading(its, tmp_path, ["match", "bank", "song"] if form == "encoder" else ["w25", "w26", "w27"])
    corpus, auxiliary = (
        "skewed",
        {"corpus": "skewed", "tokens": 3000, "batch_tokens": 128, "max_length": 32, "weight": 0.02 if form == "encoder" else 0.1},
    )
    stage = Finetune(**FEW, auxiliary=auxiliary)
    given = replace(Sizes.of(its.source), pretrained=True)
    checked = stage.check(given, its.data.task)
    assert checked.classifier.names == its.data.task.names
    assert checked.heldout == {corpus: (0.02, 50_000)}
    here = context(its, tmp_path / "both")
    metrics = stage.run(its.parent, here).metrics
    assert metrics["test_accuracy"] > (0.5 if form == "encoder" else 0.8)  # by chance a third, and a half
    assert metrics["heldout_loss_before"] > 3.5
    assert metrics["heldout_loss_after"] < metrics["heldout_loss_before"] - 0.5  # it is one word, four times in five
    assert metrics["epochs"] == 12
    labelled = 12 * math.ceil(len(its.data.task.train) / 8)
    assert metrics["text_steps"] == metrics["steps"] - labelled > 0
    assert metrics["corpora"][corpus]["read_tokens"] < metrics["text_tokens"] < metrics["tokens"]
    # The folder is a classifier, and its head for words is what was learned beside it.
    folder = ModelFolder(here.output / "model")
    assert folder.parts >= {"mlm", "classifier"}
    plain = (AutoModelForMaskedLM if form == "encoder" else AutoModelForCausalLM).from_pretrained(folder.path)
    before, _ = load_mlm(its.parent, 0)
    now, _ = load_mlm(folder, 0)
    for name, tensor in now.state_dict().items():
        torch.testing.assert_close(tensor, plain.state_dict()[name], msg=name)
    moved = [name for name, tensor in before.state_dict().items() if not torch.equal(tensor, now.state_dict()[name])]
    assert moved == list(before.state_dict())
    kind = masked_reading if form == "encoder" else next_reading
    text = kind(stage.auxiliary.pretraining.for_model(its.parent.family), folder, context(its, tmp_path / "again"))
    network = text.network(EncoderTrainer.of(context(its, tmp_path / "again"), folder, now, stage).packed)
    judged = text.heldout(4096).score(network, here.runtime.devices)
    assert judged["heldout_loss"] == pytest.approx(metrics["heldout_loss_after"], rel=1e-4)


def test_stopped_in_the_middle_it_ends_bitwise_equal(encoder):
    stage = Finetune(lr=1e-2, epochs=2, min_steps=0, batch_size=8, auxiliary={"tokens": 600, "batch_tokens": 128, "weight": 0.5})

    def run(where, stop_at=0):
        here = context(encoder, encoder.folder / "auxiliary" / where, stop_at)
        return stage.run(encoder.parent, here), here

    whole, here = run("straight")
    steps = whole.metrics["steps"]
    for stop_at in (1, steps // 2):
        with pytest.raises(Interrupted):
            run(f"stopped at {stop_at}", stop_at)
        outcome, there = run(f"stopped at {stop_at}")
        assert files(there.output) == files(here.output)
        assert (outcome.metrics, outcome.notes, outcome.log) == (whole.metrics, whole.notes, whole.log)


def test_a_body_is_shared_whatever_the_head_is_tied_to(encoder):
    classifier = load_classifier(encoder.parent, ("a", "b"), HeadSettings(), 0, 0.0)
    words, _ = load_mlm(encoder.parent, 0)
    share_body(words, classifier)
    mine = {id(parameter) for parameter in classifier.parameters()}
    alone = [name for name, parameter in words.named_parameters() if id(parameter) not in mine]
    assert alone
    assert all(name.startswith("cls.predictions") for name in alone)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"train": "head"}, r"auxiliary: all layers learn its words; leave `train` out, or let a `pretrain` read the text before"),
        ({"train": 1}, r"auxiliary: all layers"),
        ({"head": "mlm"}, r"auxiliary: this head is not one of its own beside that for words"),
        ({"auxiliary": {"max_length": 4000}}, r"auxiliary: max_length"),
    ],
)
def test_what_does_not_go_with_it_is_refused_in_the_plan(settings, said, encoder):
    head = {"mlm": {"template": "{text} it was {mask}", "names": {"sport": "match", "trade": "bank", "music": "song"}}}
    if settings.get("head") == "mlm":
        settings = {"head": head}
    stage = Finetune(**{"auxiliary": {"tokens": 100}, **settings})
    with pytest.raises(SettingsError, match=said):
        stage.check(replace(Sizes.of(encoder.source), pretrained=True), encoder.data.task)


def test_answers_that_are_written_have_no_second_head():
    with pytest.raises(
        SettingsError, match=r"auxiliary: generate has no head beside that for words; let a `pretrain` read the text before"
    ):
        check_learning(Finetune(auxiliary={"tokens": 100}), None, SimpleNamespace(kind=Generate()))


def test_a_model_without_a_head_for_words_learns_one_first(world):  # noqa: F811
    stage = Finetune(auxiliary={"tokens": 100})
    with pytest.raises(SettingsError, match=r"auxiliary: .* has no head for masked words that could go on learning; .* `pretrain`"):
        stage.check(Sizes.of(world.source), world.data.task)
