"""`pretrain: {replay: 0.05}` and `order: one after another`: what is read, counted, planned, refused, and said."""

import json
import shutil

import pytest
from tests.study.conftest import sentence, tiny_model
from tokenizers import Tokenizer, models

from acclimate.errors import SettingsError
from acclimate.stages.pretrain import Pretrain
from acclimate.study.language.study import parse_study
from acclimate.study.plan.prepared import prepare
from acclimate.study.run import Options
from acclimate.study.single import run_stage

FEW = {"batch_tokens": 128, "head_warmup": 0, "patience": None, "evaluations": 1}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    import random

    folder, rng = tmp_path_factory.mktemp("replay"), random.Random(0)
    tiny_model(folder / "model")
    for name, topic, count in (("domain", "sport", 100), ("general", "music", 20), ("other", "trade", 50)):
        (folder / f"{name}.txt").write_text("".join(f"{sentence(topic, rng)} {sentence(topic, rng)}\n" for _ in range(count)))
    return folder


def run(folder, out, settings, *names):
    options = Options(folder / out, folder / "store", engine="inline", say=lambda _: None)
    data = {name: str(folder / f"{name}.txt") for name in ("domain", *names) if name != "other"}
    if "other" in names:
        data["corpora"] = {"other": str(folder / "other.txt")}
    return run_stage(str(folder / "model"), "pretrain", {**FEW, **settings}, data, 0, options)


@pytest.mark.measured(0)
def test_a_share_of_what_is_read_is_general_text_and_all_of_it_is_counted(folder):
    made = run(folder, "replayed", {"epochs": 2, "replay": 0.25}, "general").measured
    corpora = made["metrics"]["corpora"]
    read = {name: facts["read_tokens"] for name, facts in corpora.items()}
    assert read["domain"] == 2 * corpora["domain"]["training_tokens"]
    assert read["general"] / sum(read.values()) == pytest.approx(0.25, abs=0.02)
    assert corpora["general"]["training_tokens"] == pytest.approx(corpora["domain"]["training_tokens"] / 3, rel=0.01)
    assert corpora["general"]["heldout_loss"] > 0
    assert made["metrics"]["heldout_loss_after"] == corpora["domain"]["heldout_loss"]  # general text does not choose the weights
    assert made["metrics"]["epochs"] == pytest.approx(2, abs=0.05)
    (note,) = (note for note in made["notes"] if "replayed" in note)
    assert note.startswith(f"general: {read['general']:,} tokens were replayed, which is all of it")
    assert note.endswith(f"{100 * read['general'] / sum(read.values()):.1f} % of what was read")


def test_without_a_general_corpus_the_text_of_the_package_is_taken_and_that_is_said(folder):
    data = {"domain": str(folder / "domain.txt")}
    study = parse_study({"base": "acclimate-tiny", "data": data, "recipes": {"r": [{"pretrain": {"replay": 0.05}}]}})
    assert study.data.general.path == "acclimate-general"
    assert parse_study({"base": "acclimate-tiny", "data": data, "recipes": {"r": ["pretrain"]}}).data.general is None
    prepared = prepare(study, folder, folder / "store")
    assert prepared.data.corpora["general"].facts.documents > 100
    assert not any("so all of it is replayed" in note for note in prepared.notes)
    assert "general: what is replayed comes with acclimate, as by `data: {general: acclimate-general}`" in prepared.notes


@pytest.mark.parametrize(("share", "said"), [(0.9, True), (0.5, False)])
def test_a_step_that_replay_makes_longer_than_asked_for_is_told_before_anything_is_spent(folder, share, said):
    data = {name: str(folder / f"{name}.txt") for name in ("domain", "general")}
    recipe = [{"pretrain": {**FEW, "max_length": 64, "replay": share}}]
    prepared = prepare(parse_study({"base": str(folder / "model"), "data": data, "recipes": {"r": recipe}}), folder, folder / "store")
    told = any("replay: a step has about 640 tokens, not 128" in note for note in prepared.readings.notes(prepared.plan))
    assert told == said


@pytest.mark.measured(0)
def test_corpora_are_read_one_after_another_as_they_are_written(folder):
    settings = {"epochs": 1, "order": "one after another", "max_length": 16}
    first, second = (
        run(folder, name, {**settings, "corpus": corpus}, "other").measured["metrics"]
        for name, corpus in (("there", {"domain": 1, "other": 2}), ("back", {"other": 2, "domain": 1}))
    )
    for metrics in (first, second):
        assert {name: facts["read_tokens"] for name, facts in metrics["corpora"].items()} == {
            name: facts["training_tokens"] for name, facts in metrics["corpora"].items()
        }
    assert first["heldout_loss_after"] != second["heldout_loss_after"]


def test_the_last_of_them_is_begun_however_little_those_before_it_teach(folder):
    harmful = {"lr": 2.0, "warmup": 0, "schedule": "constant", "patience": 1, "evaluations": 8, "heldout_share": 0.01, "max_length": 16}
    settings = {**harmful, "epochs": 2, "order": "one after another", "corpus": {"domain": 1, "other": 0.5}, "batch_ramp": 0.25}
    metrics = run(folder, "harmful", settings, "other").measured["metrics"]
    assert metrics["kept"] == "before"
    assert metrics["corpora"]["domain"]["read_tokens"] == 2 * metrics["corpora"]["domain"]["training_tokens"]
    assert metrics["corpora"]["other"]["read_tokens"] > 0


def test_the_order_in_which_they_are_written_is_part_of_the_key():
    there, back = (Pretrain(corpus=corpus, order="one after another").keyed() for corpus in ({"a": 1.0, "b": 2.0}, {"b": 2.0, "a": 1.0}))
    assert json.dumps(there, sort_keys=True) != json.dumps(back, sort_keys=True)
    assert not {"order", "replay"} & Pretrain().keyed().keys()


def test_what_is_masked_has_one_key_however_it_is_said():
    plain, words, spans = (Pretrain(**settings).keyed() for settings in ({}, {"whole_word": True}, {"masking": "spans"}))
    assert Pretrain(masking="tokens").keyed() == plain
    assert Pretrain(masking="words").keyed() == Pretrain(masking="words", whole_word=True).keyed() == words
    assert len({json.dumps(each, sort_keys=True) for each in (plain, words, spans, Pretrain(mask_rate_end=0.2).keyed())}) == 4
    assert not {"masking", "mask_rate_end"} & words.keys()


def test_a_budget_in_tokens_counts_what_is_replayed_whatever_is_masked(folder):
    settings = {"tokens": 2000, "replay": 0.25, "masking": "spans", "mask_rate": 0.3, "mask_rate_end": 0.1}
    metrics = run(folder, "spans", settings, "general").measured["metrics"]
    assert metrics["tokens"] == pytest.approx(2000, rel=0.07)


def test_a_vocabulary_that_does_not_mark_words_is_refused_before_anything_is_spent(folder):
    shutil.copytree(folder / "model", folder / "unmarked")
    unmarked = Tokenizer(models.BPE(Tokenizer.from_file(str(folder / "model" / "tokenizer.json")).get_vocab(), []))
    unmarked.save(str(folder / "unmarked" / "tokenizer.json"))
    study = {"base": str(folder / "unmarked"), "data": {"domain": str(folder / "domain.txt")}}
    for settings in ({"masking": "spans"}, {"whole_word": True}):
        with pytest.raises(SettingsError, match="does not mark where words begin — set whole_word: false, or masking: tokens"):
            prepare(parse_study({**study, "recipes": {"r": [{"pretrain": settings}]}}), folder, folder / "store")


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"replay": 1.0}, "replay"),
        ({"replay": -0.1}, "replay"),
        ({"replay": 0.05, "corpus": "general"}, "`replay` mixes `general` in, which `corpus` reads already"),
        ({"replay": 0.05, "corpus": {"domain": 1, "general": 0.5}}, "`replay` mixes `general` in"),
        ({"masking": "spans", "whole_word": True}, "`whole_word` masks words, and `masking: spans` something else"),
        ({"masking": "letters"}, "masking"),
        ({"mask_rate_end": 0}, "mask_rate_end"),
        ({"order": "one after another"}, "goes with several corpora"),
        ({"order": "shuffled", "corpus": {"domain": 1, "general": 0.5}}, "one after another"),
    ],
)
def test_what_makes_no_sense_is_refused(settings, said):
    with pytest.raises(SettingsError, match=said):
        parse_study({"base": "acclimate-tiny", "data": {"domain": "d.txt", "general": "g.txt"}, "recipes": {"r": [{"pretrain": settings}]}})
