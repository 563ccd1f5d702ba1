"""Numbers that are none end a training with what to do about it, and are never kept."""

import pytest
import torch
from safetensors.torch import load_file, save_file
from tests.modeling.test_base_files import looked_at
from tests.training.test_loop import TEXTS, Toys, run

from acclimate.data.batches import CountOrder
from acclimate.errors import ModelError, TrainingError
from acclimate.modeling.imported_base import import_base


def test_a_loss_that_is_not_finite_ends_the_training_and_keeps_the_last_good_state(tmp_path):
    seen = []
    with pytest.raises(TrainingError, match=r"step 7.*lower learning rate"):
        run(tmp_path, objective=Toys(CountOrder(TEXTS, 8, seed=3), fail_at=7, seen=seen))
    rest = Toys(CountOrder(TEXTS, 8, seed=3), seen=[])
    run(tmp_path, objective=rest)
    assert rest.seen[0] == 6


def test_weights_that_are_not_finite_are_named(bert, tmp_path):
    tensors = load_file(bert.folder / "model.safetensors")
    tensors["bert.encoder.layer.1.output.dense.weight"][0, :2] = torch.tensor([float("nan"), float("inf")])
    save_file(tensors, bert.folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(
        ModelError, match=r"base base: 2 of the \d+ numbers of its weight bert\.encoder\.layer\.1\.output\.dense\.weight are not finite"
    ):
        import_base(looked_at(bert.folder), tmp_path / "out")
