"""A key holds the version of every library that computes the stage, of no other, and every default that decides something."""

import pytest

from acclimate.modeling.fast_paths import FastPaths
from acclimate.stages import finetune, pretrain
from acclimate.stages.bilstm import Bilstm
from acclimate.stages.cut import Cut
from acclimate.stages.finetune import Finetune
from acclimate.stages.majority import Majority
from acclimate.stages.pretrain import Pretrain
from acclimate.stages.prune import Prune
from acclimate.stages.start import Start
from acclimate.stages.tfidf import Tfidf
from acclimate.study.plan import graph as plan_module

STAGES = (Bilstm(), Cut(keep=(0,)), Finetune(), Majority(), Pretrain(), Prune(), Start(digest="0", name="a", folder="a"), Tfidf())
# What null means of these is no number of ours: never, all, the model's own, or another setting in its place.
NAMES = {"name", "folder", "task"}  # what something is called decides nothing: what it holds is in the key
NULL_IS_NULL = {"patience", "dropout", "tokens", "epochs", "shape", "ramp_parts"}


@pytest.mark.parametrize("stage", STAGES, ids=lambda stage: stage.stage)
def test_every_setting_stands_in_the_key_with_what_it_comes_to(stage):
    keyed = stage.keyed()
    absent = {name for name in type(stage).model_fields if name not in keyed} - {*NAMES, "seeds", "shape", *stage.silent}
    assert not absent
    assert {name for name, value in keyed.items() if value is None} <= NULL_IS_NULL


@pytest.mark.parametrize(
    ("module", "name", "value", "stage"),
    [
        (finetune, "LR", 1e-5, Finetune()),
        (finetune, "HEAD_LR", 1e-5, Finetune(train="head")),
        (finetune, "LONGEST_DEFAULT", 256, Finetune()),
        (pretrain, "LONGEST_DEFAULT", 256, Pretrain()),
        (pretrain, "EPOCHS", 2.0, Pretrain()),
        (pretrain, "TASK_EPOCHS", 5.0, Pretrain(corpus="task")),
        (pretrain, "MASK_RATES", {"modernbert": 0.4, "others": 0.15}, Pretrain()),
        (pretrain, "RAMP_PARTS", 4, Pretrain(batch_ramp=0.1)),
    ],
)
def test_a_changed_default_moves_the_key_and_no_key_of_those_who_say_it(monkeypatch, module, name, value, stage):
    said = type(stage)(lr=1e-3, max_length=64, **({"epochs": 3.0, "mask_rate": 0.2} if isinstance(stage, Pretrain) else {}))
    before, said_before = stage.keyed(), said.keyed()
    monkeypatch.setattr(module, name, value)
    assert stage.keyed() != before
    assert said.keyed() == said_before


def test_a_default_that_is_said_is_the_same_computation():
    assert Finetune(lr=5e-5, max_length=512).keyed() == Finetune().keyed()
    assert Pretrain(epochs=1.0).keyed() == Pretrain().keyed()
    assert Pretrain(tokens=1000).keyed() != Pretrain().keyed()


def test_what_a_task_is_called_is_not_in_the_key_and_what_it_holds_is(plan_of):
    def key(name, file):
        recipes = f"recipes: {{{{ a: [finetune: {{{{ task: {name} }}}}, finetune] }}}}"
        return plan_of(f"{{head}}  tasks: {{{{ {name}: {{{{ train: {{world}}/{file}.jsonl }}}} }}}}\nseeds: 1\n{recipes}\n").runs[0].end

    assert key("one", "dev") == key("other", "dev")
    assert key("one", "dev") != key("one", "test")


def test_a_shortcut_that_is_off_is_in_the_key_whatever_the_default():
    assert FastPaths().keyed() == {}
    off = dict.fromkeys(FastPaths.model_fields, False)
    assert FastPaths(**off).keyed() == off


def test_the_versions_of_the_libraries_that_compute_a_stage_move_its_key_and_no_other(plan_of, monkeypatch):
    plain = ", ".join(f"{name}: {{{{ base: {name} }}}}" for name in ("tfidf", "majority", "bilstm"))
    text = f"{{head}}\nseeds: 1\nrecipes: {{{{ {plain}, plain: [finetune] }}}}\n"

    def keys():
        return {node.stage.stage: key for key, node in plan_of(text).nodes.items()}

    before, real = keys(), plan_module.version
    moved = {}
    for library in ("scikit-learn", "scipy", "numpy", "torch", "transformers", "tokenizers", "pandas"):
        monkeypatch.setattr(plan_module, "version", lambda name, other=library: "99" if name == other else real(name))
        after = keys()
        moved[library] = {stage for stage in before if before[stage] != after[stage]}
    assert moved["scikit-learn"] == moved["scipy"] == {"tfidf"}
    assert moved["numpy"] == {"tfidf", "majority", "bilstm", "finetune"}
    assert moved["torch"] == {"start", "finetune", "bilstm"}
    assert moved["transformers"] == moved["tokenizers"] == {"start", "finetune"}
    assert moved["pandas"] == set()
