"""A loss of the user's own: equal to ours where it says the same, weighed by classes, and refused where it says something else."""

import numpy as np
import pytest
import torch
from tests.objectives.given import given

from acclimate.errors import SettingsError, TrainingError
from acclimate.objectives.losses import LOSSES
from acclimate.stages.finetune import Finetune

SOURCE = """\
import torch
from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy

def usual(outputs, labels):
    if labels.ndim == 1:
        return cross_entropy(outputs, labels, reduction="none")
    return binary_cross_entropy_with_logits(outputs, labels, reduction="none").mean(dim=1)

def times(outputs, labels, *, factor):
    return factor * usual(outputs, labels)

def mean(outputs, labels): return usual(outputs, labels).mean()
def number(outputs, labels): return 1.0
def each(outputs, labels): return outputs
def detached(outputs, labels): return usual(outputs, labels).detach()
def counted(outputs, labels): return (outputs.argmax(dim=1) != labels).long()
def infinite(outputs, labels): return usual(outputs, labels) / 0
def failing(outputs, labels):
    return outputs @ labels
def greedy(outputs, labels): raise RuntimeError("not enough memory: you tried to allocate")
def forgetful(outputs, labels): raise ValueError("no memory bank")
def leaving(outputs, labels): raise SystemExit("enough")
"""
WEIGHTS = np.array([1.0, 2.0, 0.5])
LABELS = {
    "class": torch.tensor([0, 1, 2, 1]),
    "set": torch.tensor([[1.0, 0, 0], [0, 1, 1], [0, 0, 0], [1, 1, 1]]),
    "tags": torch.tensor([2, 0, 1, 1]),
}


@pytest.fixture
def own(tmp_path):
    """A function from the name of a loss, and what its items take, to the loss of a study."""
    (tmp_path / "losses_here.py").write_text(SOURCE)

    def made(function, takes="class", weights=WEIGHTS, **settings):
        choice = Finetune(loss={f"losses_here:{function}": settings}).located(tmp_path).loss
        return LOSSES[choice.loss](given(weights, takes)._replace(settings=choice))

    return made


def targets(takes, weights=WEIGHTS):
    labels, prefix = LABELS[takes], "target_" if takes == "tags" else ""
    each = torch.tensor(weights, dtype=torch.float32)
    return {f"{prefix}labels": labels, f"{prefix}weights": torch.where(labels > 0, each, 1.0) if takes == "set" else each[labels]}


def outputs():
    return torch.randn(4, 3, generator=torch.Generator().manual_seed(0)).requires_grad_()


@pytest.mark.parametrize("takes", ["class", "tags"])
def test_one_that_says_cross_entropy_is_cross_entropy_with_the_weights_of_classes(own, takes):
    ours, theirs = LOSSES["cross_entropy"](given(WEIGHTS, takes)), own("usual", takes)
    assert theirs.summed(outputs(), targets(takes)).item() == ours.summed(outputs(), targets(takes)).item()
    assert own("times", takes, factor=3).summed(outputs(), targets(takes)).item() == pytest.approx(
        3 * ours.summed(outputs(), targets(takes)).item()
    )


def test_a_text_of_labels_each_by_itself_counts_as_the_mean_of_their_weights(own):
    even = np.ones(3)
    ours = LOSSES["cross_entropy"](given(even, "set")).summed(outputs(), targets("set", even))
    assert own("usual", "set", even).summed(outputs(), targets("set", even)).item() == pytest.approx(ours.item())
    logits, weights = outputs(), targets("set")["weights"]
    each = torch.nn.functional.binary_cross_entropy_with_logits(logits, LABELS["set"], reduction="none").mean(dim=1)
    assert own("usual", "set").summed(logits, targets("set")).item() == pytest.approx((each * weights.mean(dim=1)).sum().item())


@pytest.mark.parametrize(
    ("function", "says"),
    [
        ("mean", r"losses_here.py\): it must return the loss of each item, a tensor of floats \[4\], not \[\] — leave out the mean"),
        ("number", r"\[4\], not a float"),
        ("each", r"\[4\], not \[4, 3\]"),
        ("detached", "does not depend on the outputs"),
        ("counted", "not of torch.int64"),
        ("infinite", "at the first step 4 of the 4 losses that it returns are not finite"),
        ("failing", r"loss losses_here:failing, given outputs \[4, 3\] and labels \[4\]: RuntimeError: .*losses_here.py:19\)"),
        ("forgetful", "loss losses_here:forgetful, given .*: ValueError: no memory bank"),
        ("leaving", "SystemExit: enough"),
    ],
)
def test_what_it_says_wrong_is_said_with_its_name(own, function, says):
    with pytest.raises(TrainingError, match=says):
        own(function).summed(outputs(), targets("class"))


def test_where_memory_runs_out_in_it_the_loop_hears_of_it(own):
    with pytest.raises(RuntimeError, match="not enough memory"):
        own("greedy").summed(outputs(), targets("class"))


def test_a_process_without_items_goes_along_with_a_loss_of_nothing(own):
    none = {name: each[:0] for name, each in targets("class").items()}
    loss = own("mean").summed(outputs()[:0], none)
    assert loss.item() == 0
    assert loss.requires_grad


def test_sources_that_changed_since_the_plan_are_not_run(own, tmp_path):
    choice = Finetune(loss="losses_here:usual").located(tmp_path).loss
    (tmp_path / "losses_here.py").write_text(SOURCE + "\n")
    with pytest.raises(SettingsError, match="losses_here:usual: its files changed while the study ran"):
        LOSSES[choice.loss](given(WEIGHTS)._replace(settings=choice))


def test_it_is_written_as_it_was_read_and_its_digest_is_in_the_key_once_it_is_found(tmp_path):
    (tmp_path / "losses_here.py").write_text(SOURCE)
    stage = Finetune(loss={"losses_here:times": {"factor": 2}})
    assert stage.model_dump(mode="json")["loss"] == {"losses_here:times": {"factor": 2}}
    assert Finetune.model_validate(stage.model_dump(mode="json")) == stage
    found = stage.located(tmp_path)
    assert found.keyed()["loss"] == {"losses_here:times": {"factor": 2}, "digest": found.loss.digest}
    assert str(tmp_path) not in found.model_dump_json()
    (note,) = found.loss.notes()
    assert note == f"trained with code of one's own: the loss losses_here:times (SHA-256 {found.loss.digest[:16]})"


def test_a_trial_of_a_search_trains_with_the_sources_that_were_found(tmp_path):
    (tmp_path / "losses_here.py").write_text(SOURCE)
    searched = Finetune(loss="losses_here:usual", lr={"search": [1e-5, 1e-4]}).located(tmp_path)
    assert searched.with_found({"lr": 3e-5}).loss == searched.loss
    with pytest.raises(ValueError, match="only such are searched"):
        Finetune(loss={"losses_here:times": {"factor": {"search": [1, 2]}}})


@pytest.mark.parametrize(
    ("written", "says"),
    [
        ("my..x:f", "'my..x:f' names no function; one is written `my_package.losses:my_loss`"),
        ("a:b:c", "names no function"),
        ({"my:f": 3}, "the settings of my:f are a mapping"),
    ],
)
def test_what_names_no_function_is_refused_when_it_is_read(written, says):
    with pytest.raises(ValueError, match=says):
        Finetune(loss=written)
