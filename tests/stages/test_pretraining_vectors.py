"""`pretrain: {objective: tsdae | simcse}`: vectors without labels, of every family that runs packed; counted, resumed, refused, planned."""

import json
import random
from dataclasses import replace

import pytest
import torch
from tests.modeling.conftest import build_tiny, make_base
from tests.stages.test_every_stage import World, context, files
from tests.study.conftest import WORDS, sentence, write_jsonl

from acclimate.errors import DataError, Interrupted, SettingsError
from acclimate.modeling.embedding_form import EMBEDDING
from acclimate.modeling.folder import ModelFolder
from acclimate.stages import BASES
from acclimate.stages.planned import Sizes
from acclimate.stages.pretrain import Pretrain
from acclimate.study.language.implied import with_task
from acclimate.study.language.study import parse_study
from acclimate.study.plan.prepared import prepare
from acclimate.tasks.opened import Data, DataSettings

FEW = {"tokens": 500, "batch_tokens": 128, "max_length": 32, "evaluations": 2, "heldout_share": 0.2, "dropout": 0.1}
VECTORS = ("tsdae", "simcse")


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """Documents of two sentences each in words of a vocabulary, and models of several families."""
    folder, rng = tmp_path_factory.mktemp("vectors"), random.Random(0)
    texts = [" ".join(f"w{rng.randrange(50)}" for _ in range(rng.randint(4, 9))) for _ in range(120)]
    (folder / "domain.txt").write_text("".join(f"{one}. {two}.\n" for one, two in zip(texts[::2], texts[1::2], strict=True)))
    (folder / "other.txt").write_text("".join(f"{text}.\n" for text in texts[:30]))
    (folder / "same.txt").write_text("".join("w1 w2 w3 w4 w5\n" for _ in range(30)))
    corpora = {"same": str(folder / "same.txt")}
    data = {"domain": str(folder / "domain.txt"), "general": str(folder / "other.txt"), "corpora": corpora}
    opened = Data.open(DataSettings.model_validate(data), folder, folder / "rejects")
    (start,) = (stage for stage in BASES if stage.role == "start")

    def of(name, **changes):
        place = folder / f"{name} {json.dumps(changes)}"
        if not place.exists():
            source = make_base(place / "base", build_tiny(name, "mlm", **changes))
            made = World(folder, source, opened)
            start.of(source, random=False).run(None, context(made, place))
        else:
            source = make_base(place / "base", build_tiny(name, "mlm", **changes))
        return World(folder, source, opened, ModelFolder(place / "output" / "model"))

    return of


def run(world, name, stop_at=0, micro=None, **settings):
    here = context(world, world.folder / name, stop_at)
    here = replace(here, runtime=replace(here.runtime, micro_tokens=micro))
    return Pretrain(**{**FEW, **settings}).run(world.parent, here), here.output


@pytest.mark.parametrize(
    ("family", "objective"), [("roberta", "tsdae"), ("modernbert", "tsdae"), ("modernbert", "simcse"), ("deberta", "simcse")]
)
def test_every_family_learns_and_leaves_a_folder_that_says_its_pooling_and_keeps_its_other_heads(world, family, objective):
    its = world(family)
    outcome, output = run(its, f"{family} {objective}", objective=objective, pooling="max", lr=5e-3, evaluations=1, patience=None)
    made, metrics = ModelFolder(output / "model"), outcome.metrics
    assert made.config[EMBEDDING]["pooling"] == "max"
    assert made.names == its.parent.names
    assert made.parts == its.parent.parts
    assert metrics["heldout_loss_after"] < metrics["heldout_loss_before"] or metrics["kept"] == "before"
    assert metrics["texts"] > 0
    before, after = its.parent.tensors(), made.tensors()
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    body = its.parent.architecture.prefix
    assert changed or metrics["kept"] == "before"
    assert all(name.startswith(body) for name in changed)
    assert json.loads(json.dumps([metrics, outcome.notes, outcome.log], allow_nan=False))


@pytest.mark.measured(0)
@pytest.mark.parametrize("objective", VECTORS)
def test_stopped_at_any_step_it_ends_bitwise_equal_also_in_parts(world, objective):
    its, name = world("bert"), f"resumed {objective}"
    settings = {"objective": objective, "lr": 5e-3, "patience": None}
    whole, expected = run(its, name, micro=40, **settings)
    assert whole.metrics["kept"] == "trained"
    for stop_at in (1, 2):  # for tsdae the first step is one of the decoder alone
        with pytest.raises(Interrupted):
            run(its, f"{name} {stop_at}", stop_at, micro=40, **settings)
        outcome, output = run(its, f"{name} {stop_at}", micro=40, **settings)
        assert files(output) == files(expected)
        assert (outcome.metrics, outcome.notes, outcome.log) == (whole.metrics, whole.notes, whole.log)


def test_a_mixture_with_replay_and_growing_batches_reads_what_is_said(world):
    settings = {"corpus": {"domain": 0.5}, "replay": 0.25, "batch_ramp": 0.5, "epochs": 2, "tokens": None, "texts": "documents"}
    outcome, _ = run(world("bert"), "mixed", objective="tsdae", **settings)
    facts = outcome.metrics["corpora"]
    assert facts["domain"]["read_tokens"] == pytest.approx(2 * facts["domain"]["training_tokens"], rel=0.1)
    assert facts["general"]["read_tokens"] == pytest.approx(facts["domain"]["read_tokens"] / 3, rel=0.2)
    assert facts["general"]["heldout_loss"] > 0
    assert "bits_per_byte" not in facts["domain"]
    assert outcome.metrics["epochs"] == pytest.approx(2, abs=0.2)


def test_texts_longer_than_a_window_are_counted(world):
    outcome, _ = run(world("bert"), "long", objective="simcse", texts="documents", max_length=12)
    long = outcome.metrics["texts_in_windows"]
    assert outcome.metrics["texts"] > long > 0
    assert f"{long:,} documents of {outcome.metrics['texts']:,} are longer than 10 tokens" in " ".join(outcome.notes)


def test_where_nothing_is_gained_the_encoder_from_before_is_handed_on(world):
    its = world("bert")
    harm = {"lr": 5.0, "warmup": 0, "schedule": "constant", "evaluations": 1}
    outcome, output = run(its, "harmed", objective="tsdae", **harm)
    before, after = its.parent.tensors(), ModelFolder(output / "model").tensors()
    assert outcome.metrics["kept"] == "before"
    assert all(torch.equal(before[name], after[name]) for name in before)


def test_the_same_text_again_and_again_is_an_error(world):
    with pytest.raises(DataError, match=r"a batch holds a single text, or the same one again and again, .*; raise batch_tokens"):
        run(world("bert"), "alone", objective="simcse", corpus="same")


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"objective": "simcse", "dropout": 0}, "`dropout: 0` would make both views of a text equal"),
        ({"objective": "tsdae", "mask_rate": 0.3}, "`mask_rate` goes with `objective: mlm`, and this is tsdae"),
        ({"objective": "tsdae", "masking": "tokens"}, "`masking` goes with `objective: mlm`"),
        ({"objective": "simcse", "whole_word": True}, "`whole_word` goes with `objective: mlm`"),
        ({"objective": "simcse", "head_warmup": 0.2}, "`head_warmup` goes with `objective: mlm`"),
        ({"objective": "tsdae", "new_rows_first": 0.5}, "`new_rows_first` goes with `objective: mlm`"),
        ({"objective": "tsdae", "temperature": 0.1}, "`temperature` goes with `objective: simcse`"),
        ({"objective": "simcse", "delete": 0.5}, "`delete` goes with `objective: tsdae`"),
        ({"texts": "lines"}, "`texts` goes with `objective: tsdae`, and this is mlm"),
        ({"pooling": "cls"}, "`pooling` goes with `objective: tsdae`"),
        ({"objective": "tsdae", "delete": 1.0}, "delete"),
        ({"objective": "words"}, "objective"),
    ],
)  # fmt: skip
def test_what_makes_no_sense_is_refused_where_it_is_written(settings, said):
    study = {"base": "acclimate-tiny", "data": {"domain": "d.txt"}, "recipes": {"r": [{"pretrain": settings}]}}
    with pytest.raises(SettingsError, match=said):
        parse_study(study)


def test_dropout_is_the_models_own_unless_said_and_a_model_without_any_is_refused(world):
    assert Pretrain(objective="simcse").dropout is None
    assert Pretrain(objective="tsdae").dropout == Pretrain().dropout == 0.0
    without = Sizes.of(world("bert").source)  # the tiny ones are built without dropout
    for stage, said in ((Pretrain(objective="simcse"), True), (Pretrain(objective="simcse", dropout=0.2), False)):
        if said:
            with pytest.raises(SettingsError, match="has no dropout of its own"):
                stage.check(without, None)
        else:
            assert not stage.check(without, None).pretrained
    Pretrain(objective="simcse").check(Sizes.of(world("bert", dropout=0.1).source), None)


def test_the_key_has_what_was_said_as_what_it_comes_to():
    keys = {json.dumps(Pretrain(**each).keyed(), sort_keys=True) for each in ({}, {"objective": "tsdae"}, {"objective": "simcse"})}
    assert len(keys) == 3
    assert Pretrain(objective="tsdae", delete=0.6, texts="sentences").keyed() == Pretrain(objective="tsdae").keyed()
    assert Pretrain(objective="tsdae", delete=0.5).keyed() != Pretrain(objective="tsdae").keyed()
    assert not {"objective", "texts", "pooling", "delete", "temperature"} & Pretrain().keyed().keys()
    assert "mask_rate" not in Pretrain(objective="tsdae").keyed()


def test_a_study_plans_it_tells_its_work_and_asks_nobody_for_words_that_it_did_not_teach(world, tmp_path):
    rng, topics = random.Random(1), list(WORDS)
    for split, count in (("train", 12), ("dev", 6), ("test", 6)):
        rows = [{"text": f"{split} {number} {sentence(topics[number % 3], rng)}", "label": topics[number % 3]} for number in range(count)]
        write_jsonl(tmp_path / f"{split}.jsonl", rows)
    its = world("bert", dropout=0.1)
    recipes = {
        "tsdae": [{"pretrain": {"objective": "tsdae"}}, "finetune"],
        "simcse": ["pretrain", {"pretrain": {"objective": "simcse"}}, "finetune"],
    }
    data = {
        "domain": str(its.folder / "domain.txt"),
        "task": {split: str(tmp_path / f"{split}.jsonl") for split in ("train", "dev", "test")},
    }
    study = parse_study({"base": str(its.source.folder), "data": data, "recipes": recipes})
    plan = prepare(study, tmp_path, tmp_path / "store").plan
    titles = {node.title for node in plan.nodes.values()}
    assert any("pretrain by tsdae on domain" in title for title in titles)
    only = parse_study({"base": str(its.source.folder), "data": {"domain": data["domain"]}, "recipes": {"r": recipes["tsdae"][:1]}})
    with pytest.raises(SettingsError, match="no recipe learns to predict words, so there is nothing by which recipes could be compared"):
        with_task(only)
