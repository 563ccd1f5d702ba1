"""A pretraining keeps the best weights, those from before it began among them, and says where nothing was gained."""

import pytest
import torch
from tests.stages.test_new_rows import FEW, ROWS, extended, run  # noqa: F401 - a fixture

from acclimate.modeling.folder import ModelFolder

pytestmark = pytest.mark.measured(0)

HARMFUL = {**FEW, "lr": 2.0, "warmup": 0, "schedule": "constant", "heldout_share": 0.1}


@pytest.fixture(scope="module")
def able(extended):  # noqa: F811
    """A folder with a model whose head has learned: nothing warms it up again."""
    run(extended, "extended", "able", "pretrain", {**FEW, "lr": 0.01})
    return extended


@pytest.mark.parametrize("settings", [{}, {"new_rows_first": 0.5}, {"new_rows_first": 1.0, "lr": 100.0}], ids=str)
def test_where_nothing_is_gained_the_weights_from_before_are_handed_on_bitwise(able, settings):
    name = f"harmed {settings}"
    measured = run(able, "able", name, "pretrain", {**HARMFUL, **settings})
    before, after = (ModelFolder(able / each).tensors() for each in ("able", name))
    assert before.keys() == after.keys()
    assert all(torch.equal(after[key], tensor) for key, tensor in before.items())
    metrics = measured["metrics"]
    assert (metrics["kept"], metrics["best_step"]) == ("before", 0)
    assert metrics["heldout_loss_after"] == metrics["heldout_loss_before"]
    assert metrics["corpora"]["domain"]["heldout_loss"] == metrics["heldout_loss_before"]
    assert any(note.startswith("nothing was gained") for note in measured["notes"])


def test_what_is_gained_is_kept(able):
    measured = run(able, "able", "further", "pretrain", {**FEW, "lr": 1e-3, "heldout_share": 0.1})
    metrics = measured["metrics"]
    assert metrics["heldout_loss_after"] < metrics["heldout_loss_before"]
    assert metrics["kept"] == "trained"
    assert metrics["best_step"] > 0
    assert not any("nothing was gained" in note for note in measured["notes"])
    assert not torch.equal(*(ModelFolder(able / each).tensors()[ROWS] for each in ("able", "further")))
