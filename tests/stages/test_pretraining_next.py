"""`pretrain: {objective: clm}` and what is asked of decoders: learned, counted, resumed bitwise, planned, refused."""

import json
import math
import random
from dataclasses import replace

import numpy as np
import pytest
import torch
from pydantic import ValidationError
from tests.modeling.conftest import build_tiny, make_base
from tests.stages.test_every_stage import World, context, files
from tests.study.conftest import write_jsonl

from acclimate.data.ended import ended, ended_stretches, joined_stretches
from acclimate.data.held_out import Stretches
from acclimate.data.ragged import offsets_of
from acclimate.data.tokens import TokenStore
from acclimate.errors import Interrupted, ModelError, SettingsError
from acclimate.modeling.folder import ModelFolder
from acclimate.modeling.heads import load_mlm
from acclimate.modeling.imported_base import import_base
from acclimate.objectives.clm import Borders
from acclimate.stages import BASES
from acclimate.stages.base import GENERAL_TEXT
from acclimate.stages.measure import Measure
from acclimate.stages.pretrain import Pretrain
from acclimate.study.language.study import load_study
from acclimate.study.plan.graph import Plan
from acclimate.tasks.general_text import GeneralText
from acclimate.tasks.opened import Data, DataSettings

FEW = {"tokens": 1500, "batch_tokens": 128, "max_length": 32, "evaluations": 2, "heldout_share": 0.2, "lr": 1e-2}


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """Documents in which each word says what the next one is, and decoders of several families."""
    folder, rng = tmp_path_factory.mktemp("next"), random.Random(0)
    texts = [
        " ".join(f"w{(first + number) % 50}" for number in range(length))
        for first, length in ((rng.randrange(50), rng.randint(4, 50)) for _ in range(120))
    ]
    write_jsonl(folder / "domain.jsonl", [{"text": text} for text in texts])
    write_jsonl(folder / "other.jsonl", [{"text": f"{text} w7 w3"} for text in texts[:20]])
    data = {"domain": str(folder / "domain.jsonl"), "general": str(folder / "other.jsonl")}
    opened = Data.open(DataSettings.model_validate(data), folder, folder / "rejects")
    (start,) = (stage for stage in BASES if stage.role == "start")

    def of(name):
        place = folder / name
        there = place.exists()
        source = make_base(place / "base", build_tiny(name, "mlm"))
        if not there:
            start.of(source, random=False).run(None, context(World(folder, source, opened), place))
        return World(folder, source, opened, ModelFolder(place / "output" / "model"))

    return of


def run(world, name, stop_at=0, micro=None, **settings):
    here = context(world, world.folder / name, stop_at)
    here = replace(here, runtime=replace(here.runtime, micro_tokens=micro))
    return Pretrain(**{**FEW, **settings}).run(world.parent, here), here.output


@pytest.mark.parametrize(("family", "windows"), [("gpt2", "within"), ("llama", "across"), ("qwen3", "within")])
def test_a_decoder_learns_next_words_where_nothing_is_said_and_every_token_is_counted(world, family, windows):
    its = world(family)
    outcome, output = run(its, f"{family} learned", windows=windows, replay=0.1)
    made, metrics = ModelFolder(output / "model"), outcome.metrics
    assert metrics["heldout_loss_after"] < metrics["heldout_loss_before"] - 0.3
    facts = metrics["corpora"]["domain"]
    # Every document has its end, and none of its tokens is read twice.
    read = facts["training_tokens"] + facts["heldout_tokens"] + facts["left_out_tokens"]
    assert facts["tokens"] - facts["left_out_documents"] <= read <= facts["tokens"]
    assert facts["tokens"] == facts["documents"] + sum(len(text.split()) for text in its.data.corpora["domain"].documents())
    size = sum(len(text.encode()) for text in its.data.corpora["domain"].documents())
    assert facts["bits_per_byte"] == pytest.approx(facts["tokens"] * metrics["heldout_loss_after"] / math.log(2) / size, rel=0.35)
    longest = max(len(text.split()) for text in its.data.corpora["domain"].documents())
    assert longest > FEW["max_length"]
    assert made.names == its.parent.names
    assert outcome.cost.flops > 0
    assert json.loads(json.dumps([metrics, outcome.notes, outcome.log], allow_nan=False))


@pytest.mark.measured(0)
@pytest.mark.parametrize("windows", ["within", "across"])
def test_resumed_at_any_step_the_weights_are_bitwise_equal(world, windows):
    its = world("llama")
    _, whole = run(its, f"whole {windows}", micro=64, windows=windows)
    for stop_at in (1, 5):
        name = f"stopped {windows} {stop_at}"
        with pytest.raises(Interrupted):
            run(its, name, stop_at=stop_at, micro=64, windows=windows)
        _, resumed = run(its, name, micro=64, windows=windows)
        assert files(resumed) == files(whole)


@pytest.mark.measured(0)
@pytest.mark.parametrize("head", [True, False])
def test_an_encoder_may_learn_next_words_on_the_way_to_masked_ones(world, tmp_path, head):
    its = world("bert")
    if not head:
        source = make_base(tmp_path / "headless", build_tiny("bert", "base"))
        its = replace(its, parent=import_base(source, tmp_path / "imported"), folder=tmp_path)
    outcome, output = run(its, f"bert next {head}", objective="clm", windows="within")
    metrics, made = outcome.metrics, ModelFolder(output / "model")
    assert metrics["heldout_loss_after"] < metrics["heldout_loss_before"] - 0.3
    assert metrics["fresh_mlm_head"] is not head
    assert any("a fresh one" in note for note in outcome.notes) is not head
    assert made.names >= its.parent.names
    assert not made.config.get("is_decoder")
    assert made.architecture.class_name("mlm") == "BertForMaskedLM"
    masked, _ = run(replace(its, parent=made), f"bert masked {head}", mask_rate=0.3)
    assert masked.metrics["fresh_mlm_head"] is False
    assert masked.metrics["heldout_loss_after"] <= masked.metrics["heldout_loss_before"]


def test_general_text_costs_a_decoder_what_its_next_tokens_cost(world, tmp_path):
    its = world("gpt2")
    documents = tuple(its.data.corpora["general"].documents())[:5]
    text = GeneralText("general", documents)
    here = context(its, tmp_path)
    outcome = Measure().run(its.parent, replace(here, data=replace(here.data, general=text)))
    model, _ = load_mlm(its.parent, 0)
    borders, tokenizer = Borders.of(its.parent), its.parent.tokenizer()
    nats = 0.0
    for document in documents:
        ids = torch.tensor([[borders.begin, *tokenizer.encode(document, add_special_tokens=False).ids]])
        with torch.no_grad():
            nats += float(model.eval()(input_ids=ids, labels=ids).loss) * (ids.shape[1] - 1)
    size = sum(len(document.encode()) for document in documents)
    assert outcome.metrics["general_bits_per_byte"] == pytest.approx(nats / math.log(2) / size, rel=1e-3)
    assert Measure().reads() == (GENERAL_TEXT,)


def test_a_text_begins_and_ends_with_what_tokenizer_or_config_name(world, tmp_path):
    its = world("llama")
    assert Borders.of(its.parent) == Borders(begin=2, end=3, unknown=1)
    nothing = tmp_path / "model"
    nothing.mkdir()
    for file in its.parent.path.iterdir():
        (nothing / file.name).write_bytes(file.read_bytes())
    tokenizer = its.parent.tokenizer()
    said = json.loads(tokenizer.to_str()) | {"post_processor": None}
    (nothing / "tokenizer.json").write_text(json.dumps(said))
    (nothing / "config.json").write_text(json.dumps(its.parent.config | {"bos_token_id": None, "eos_token_id": [4, 3]}))
    assert Borders.of(ModelFolder(nothing)) == Borders(begin=4, end=4, unknown=1)
    (nothing / "config.json").write_text(json.dumps(its.parent.config | {"bos_token_id": None, "eos_token_id": None}))
    with pytest.raises(ModelError, match="bos_token_id, eos_token_id"):
        Borders.of(ModelFolder(nothing))


def test_documents_are_ended_without_a_copy_and_stretches_know_it():
    lengths = np.array([3, 0, 5, 1])
    store = TokenStore(np.arange(10, 19).astype(np.uint16), offsets_of(lengths))
    found = ended(store, 2)
    assert found.tokens[np.arange(len(found.tokens))].tolist() == [10, 11, 12, 2, 2, 13, 14, 15, 16, 17, 2, 18, 2]
    assert [found[number].tolist() for number in range(4)] == [[10, 11, 12, 2], [2], [13, 14, 15, 16, 17, 2], [18, 2]]
    # All of the first document, the middle of the third without its end, and the last.
    parts = ended_stretches(Stretches(np.array([0, 4, 8]), np.array([3, 2, 1])), store.offsets)
    assert [found.tokens[begin : begin + length].tolist() for begin, length in zip(*parts, strict=True)] == [
        [10, 11, 12, 2],
        [14, 15],
        [18, 2],
    ]
    joined = joined_stretches(Stretches(np.array([0, 4, 5, 11]), np.array([4, 1, 3, 2])))
    assert [each.tolist() for each in joined] == [[0, 11], [8, 2]]


STUDY = """forgetting: false
base: {base}
data:
  domain: {folder}/domain.jsonl
  general: {folder}/other.jsonl
  task: {{ kind: perplexity, on: [domain], documents: 5 }}
recipes:
  next: [{stage}, score]
"""


def planned(world, tmp_path, stage, family="llama"):
    base = world(family).source.folder if family != "bert" else bert(tmp_path)
    (tmp_path / "study.yaml").write_text(STUDY.format(base=base, folder=world("llama").folder, stage=stage))
    study = load_study(tmp_path / "study.yaml")
    return Plan.of(study, Data.open(study.data, tmp_path, tmp_path / "cache"), tmp_path)


def pretraining(plan):
    return next(node.stage for node in plan.nodes.values() if node.stage.word() == "pretrain")


def bert(folder):
    return make_base(folder / "bert", build_tiny("bert", "mlm")).folder


def test_the_model_decides_the_objective_and_said_or_not_the_key_is_the_same(world, tmp_path):
    ends = {}
    for stage in ("pretrain", "pretrain: {objective: clm}", "pretrain: {windows: within}", "pretrain: {windows: across}"):
        plan = planned(world, tmp_path, stage)
        ends[stage] = plan.runs[0].end
        assert pretraining(plan).objective == "clm"
    assert len(set(ends.values())) == 2
    plan = planned(world, tmp_path, "pretrain", "bert")
    assert pretraining(plan).objective == "mlm"
    assert Pretrain().keyed() == Pretrain(objective="mlm").keyed()


@pytest.mark.parametrize(
    ("family", "stage", "why"),
    [
        ("llama", "pretrain: {objective: mlm}", "objective: mlm: .* is a decoder"),
        ("llama", "pretrain: {objective: tsdae}", "objective: tsdae: .* is a decoder"),
        ("llama", "pretrain: {mask_rate: 0.3}", "`mask_rate` goes with `objective: mlm`, and llama is a decoder"),
        ("deberta", "pretrain: {objective: clm}", "objective: clm: .* is an encoder .* that cannot be made to look back alone"),
        ("bert", "pretrain: {windows: across}", "`windows` goes with `objective: clm`, and bert is an encoder"),
    ],
)
def test_what_an_architecture_cannot_learn_is_refused_in_the_plan(world, tmp_path, family, stage, why):
    with pytest.raises(SettingsError, match=why):
        planned(world, tmp_path, stage, family)


def test_settings_of_other_objectives_are_refused_where_they_are_written():
    with pytest.raises(ValidationError, match="`mask_rate` goes with `objective: mlm`, and this is clm"):
        Pretrain(objective="clm", mask_rate=0.3)
    with pytest.raises(ValidationError, match="`windows` goes with `objective: clm`, and this is mlm"):
        Pretrain(objective="mlm", windows="across")
