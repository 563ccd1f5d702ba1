"""Stages that train adapters: stopped and continued bitwise equal, nothing else is learned, and what cannot be done is said by the plan."""

import pytest
from pydantic import ValidationError
from tests.stages.test_every_stage import context, files, world  # noqa: F401 - a fixture

from acclimate.errors import Interrupted, MissingExtraError, SettingsError
from acclimate.modeling import adapter_settings
from acclimate.modeling.adapter_settings import ADAPTER_LR, FOLDER, Lora, is_adapter
from acclimate.modeling.adapters import merge_adapter, planned
from acclimate.stages.finetune import Finetune
from acclimate.stages.pretrain import Pretrain

LORA = {"lora": {"rank": 2, "dropout": 0.1}}
TUNED = Finetune(train=LORA, epochs=2, min_steps=0, batch_size=16)
PRETRAINED = Pretrain(train=LORA, batch_tokens=128, head_warmup=0.5, tokens=1200, lr=2e-2)


@pytest.mark.measured(0)
@pytest.mark.parametrize(("stage", "kind"), [(TUNED, "classify"), (TUNED, "tag"), (PRETRAINED, "classify")])
def test_stopped_and_continued_it_ends_bitwise_equal(stage, kind, world):  # noqa: F811
    parent, runs = world.parent, []
    world = next(each for each in (world, *world.others) if each.data.task.kind.kind == kind)
    for name, stop_at in (("straight", 0), ("stopped", 3)):
        folder = world.folder / "adapters" / stage.word() / kind / name
        if stop_at:
            with pytest.raises(Interrupted):
                stage.run(parent, context(world, folder, stop_at))
        here = context(world, folder)
        runs.append((stage.run(parent, here), files(here.output)))
    (whole, expected), (outcome, found) = runs
    assert found == expected
    assert (outcome.metrics, outcome.log) == (whole.metrics, whole.log)
    left = here.output / "model"
    assert is_adapter(left)
    assert (left / FOLDER / "README.md").is_file()
    assert whole.cost.disk_bytes < sum(path.stat().st_size for path in parent.path.iterdir())
    adapters = planned(stage.lora, parent.config, "tiny").parameters
    before, after = parent.tensors(), merge_adapter(left, parent, world.folder / "adapters" / stage.word() / kind / "merged")
    # What stands in layers is as it was but for the weights that have an adapter; heads, fresh here, are there as a whole.
    changed = {name for name, tensor in after.tensors().items() if name not in before or not tensor.equal(before[name])}
    inside = {name for name in changed if ".layer." in name}
    assert inside
    assert all(name.endswith("weight") and "LayerNorm" not in name for name in inside)
    heads = sum(tensor.numel() for name, tensor in after.tensors().items() if name in changed - inside)
    assert whole.cost.trained_parameters == adapters + heads
    assert after.parts >= ({"mlm"} if stage is PRETRAINED else {"classifier"} if kind == "classify" else {"tagger"})
    assert any(f"{whole.cost.trained_parameters:,} of {whole.cost.parameters:,} weights were trained" in note for note in whole.notes)


def test_rates_keys_and_titles_say_what_is_trained():
    assert Finetune(train="lora") == Finetune(train={"lora": None}) == Finetune(train={"lora": {}})
    assert Finetune(train="lora").peak_lr() == Pretrain(train="lora").lr == ADAPTER_LR
    assert Pretrain(train="lora", lr=1e-3).lr == 1e-3
    assert Finetune(train="lora").title() == "finetune (LoRA rank 8)"
    assert Pretrain(train={"lora": {"dora": True}}).title() == "pretrain on domain (DoRA rank 8)"
    # A default that is written is no other computation; and where there are no adapters, no key moves.
    assert Finetune(train={"lora": {"alpha": 16, "rank": 8}}).keyed() == Finetune(train="lora").keyed()
    assert Finetune(train={"lora": {"targets": ["b", "a"]}}).keyed() == Finetune(train={"lora": {"targets": ["a", "b"]}}).keyed()
    assert Finetune(train="lora").keyed() != Finetune().keyed()
    assert "train" not in Pretrain().keyed()
    assert Finetune.model_validate(TUNED.model_dump(mode="json")) == TUNED
    assert Lora(targets="query").targets == ("query",)


def test_what_adapters_cannot_do_is_said_before_anything_is_spent(world, monkeypatch):  # noqa: F811
    task, given = world.data.task, world.given
    with pytest.raises(SettingsError, match=r"lora: targets: .* has no linear layer 'querry' .*did you mean 'query'\?"):
        Finetune(train={"lora": {"targets": ["querry"]}}).check(given, task)
    with pytest.raises(SettingsError, match=r"did you mean 'output\.dense'"):
        Pretrain(train={"lora": {"targets": ["outptu.dense"]}}).check(given, None)
    with pytest.raises(SettingsError, match="train: lora: no adapters are trained below a head that stands on the vectors"):
        Finetune(train="lora", head="vector").check(given, task)
    with pytest.raises(ValidationError, match="goes with objectives of words"):
        Pretrain(train="lora", objective="simcse")
    with pytest.raises(ValidationError, match="`new_rows_first` trains rows of embeddings"):
        Pretrain(train="lora", new_rows_first=0.5)
    with pytest.raises(ValidationError, match=r"`quantize`: frozen weights in four bits \(QLoRA\) are said by `bits: 4`"):
        Finetune(train={"lora": {"quantize": "4bit"}})
    with pytest.raises(ValidationError, match="greater than or equal to 1"):
        Finetune(train={"lora": {"rank": 0}})
    searched = Finetune(train={"lora": {"rank": {"search": [2, 4]}}})
    assert searched.search_told == "train.lora.rank: 2 to 4, 3 trials"
    monkeypatch.setattr(adapter_settings, "find_spec", lambda name: None)
    with pytest.raises(MissingExtraError, match=r'pip install "acclimate\[lora\]"'):
        Finetune(train="lora").check(given, task)
