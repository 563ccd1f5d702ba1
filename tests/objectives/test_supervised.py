import numpy as np
import pytest
import torch
from tests.objectives.given import loss_of_names
from tokenizers import Tokenizer
from tokenizers.models import WordLevel

from acclimate.data.batches import CountOrder
from acclimate.data.sequences import Sequences
from acclimate.data.tokens import TokenStore
from acclimate.data.windows import first
from acclimate.errors import SettingsError
from acclimate.modeling.tensors import to_tensors
from acclimate.objectives.class_weights import class_weights
from acclimate.objectives.supervised import Supervised
from acclimate.tasks.split import Split

LABELS = np.array([0, 0, 0, 1])


def test_class_weights_are_those_of_their_definitions():
    assert class_weights("none", LABELS, ("a", "b")).tolist() == [1, 1]
    assert class_weights("balanced", LABELS, ("a", "b")).tolist() == pytest.approx([4 / 6, 2])
    assert class_weights({"a": 1.0, "b": 3.0}, LABELS, ("a", "b")).tolist() == [1, 3]
    assert np.isfinite(class_weights("balanced", LABELS, ("a", "b", "absent"))).all()


def test_a_weight_for_an_unknown_label_is_refused():
    with pytest.raises(SettingsError, match="'c' is not among"):
        class_weights({"c": 1.0}, LABELS, ("a", "b"))


def test_summed_loss_over_summed_weights_is_the_weighted_mean_of_torch(tmp_path):
    tokenizer = Tokenizer(WordLevel({"a": 0, "b": 1}))
    store = TokenStore.build(tmp_path / "tokens", iter(["a", "b", "a", "b"]), tokenizer, "k")
    weights = np.array([1.0, 2.0, 0.5])
    split = Split((("a", "b", "a", "b"),), np.array([0, 1, 2, 1]), np.arange(4), ())
    objective = Supervised(Sequences(store, first(store, 8), (), ()), split, CountOrder(4, 4, 0), loss_of_names("cross_entropy", weights))
    batch = objective.batch(0)
    logits = torch.randn(4, 3)
    found = objective.loss(lambda _: logits, to_tensors(batch, "cpu")) / objective.count(batch)
    labels = torch.from_numpy(batch.targets["labels"])
    torch.testing.assert_close(found, torch.nn.functional.cross_entropy(logits, labels, weight=torch.tensor(weights).float()))
