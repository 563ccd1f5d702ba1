"""How much the examples of a class count: by its count, its root, its effective number, or as it is said."""

import numpy as np
import pytest

from acclimate.data.ragged import Ragged
from acclimate.errors import SettingsError
from acclimate.objectives.class_weights import check_class_weights, class_weights
from acclimate.stages.bilstm import Bilstm
from acclimate.stages.finetune import Finetune

NAMES = ("a", "b", "none")
CLASSES = np.array([0] * 8 + [1] * 2)
SETS = np.zeros((10, 3), dtype=bool)
SETS[:8, 0] = SETS[:2, 1] = True
TAGS = Ragged.of([[0] * 5, [0, 0, 0, 1, 1]])


@pytest.mark.parametrize("gold", [CLASSES, SETS, TAGS], ids=["classes", "sets", "tags"])
def test_sqrt_is_the_square_root_of_balanced(gold):
    assert class_weights("sqrt", gold, NAMES).tolist() == pytest.approx(np.sqrt(class_weights("balanced", gold, NAMES)))


@pytest.mark.parametrize("gold", [CLASSES, SETS, TAGS], ids=["classes", "sets", "tags"])
def test_effective_numbers_are_those_of_their_paper_with_a_mean_of_one(gold):
    beta = 0.9
    # A class without an example counts as if it had one.
    wanted = np.array([(1 - beta) / (1 - beta**count) for count in (8, 2, 1)])
    found = class_weights({"effective": beta}, gold, NAMES)
    assert found.mean() == pytest.approx(1)
    assert found.tolist() == pytest.approx(wanted * 3 / wanted.sum())


def test_effective_numbers_go_from_no_weights_to_one_over_the_count():
    assert class_weights({"effective": 1e-9}, CLASSES, NAMES).tolist() == pytest.approx([1, 1, 1])
    inverse = np.array([1 / 8, 1 / 2, 1])
    assert class_weights({"effective": 1 - 1e-9}, CLASSES, NAMES).tolist() == pytest.approx(inverse / inverse.mean(), rel=1e-6)


def test_a_number_from_one_on_is_the_weight_of_a_label_called_effective():
    assert class_weights({"effective": 2.0, "not": 1.0, "never": 1.0}, CLASSES, ("effective", "not", "never")).tolist() == [2, 1, 1]
    assert class_weights({"effective": 0.5, "not": 1.0, "never": 1.0}, CLASSES, ("effective", "not", "never")).tolist() == [0.5, 1, 1]
    with pytest.raises(SettingsError, match=r"may be the weight of the label 'effective' .* name another one beside it, `not: 1`"):
        check_class_weights({"effective": 0.5}, ("effective", "not"))
    with pytest.raises(SettingsError, match=r"'effective' is not among .* stands alone and is below 1"):
        check_class_weights({"effective": 2.0}, ("a", "b"))


def test_a_class_without_a_weight_is_refused():
    assert class_weights({"a": 1.0, "b": 3.0, "none": 2.0}, CLASSES, NAMES).tolist() == [1, 3, 2]
    with pytest.raises(SettingsError, match=r"2 of 3 labels have no weight \('a', 'none'\); 1 leaves one as it is"):
        check_class_weights({"b": 3.0}, NAMES)
    with pytest.raises(SettingsError, match=r"7 of 8 labels have no weight \('1', '2', '3', '4', '5', \.\.\.\)"):
        check_class_weights({"0": 3.0}, tuple("01234567"))


@pytest.mark.parametrize("stage", [Finetune, Bilstm])
def test_what_is_said_stands_in_the_key(stage):
    for said in ("sqrt", {"effective": 0.999}):
        assert stage(class_weights=said).keyed() == stage().keyed() | {"class_weights": said}
