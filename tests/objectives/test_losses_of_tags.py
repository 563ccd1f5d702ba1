"""Cross-entropy of the pieces of words: which tag each piece learns, and that the mean is that of plain transformers."""

import numpy as np
import pytest
import torch
from tests.objectives.given import loss_of_names

from acclimate.data.ragged import Ragged
from acclimate.objectives.class_weights import class_weights
from acclimate.objectives.losses.of_names import learned
from acclimate.tasks.split import Split

NAMES = ("O", "B-per", "I-per", "B-loc", "I-loc")
TAGS = Ragged.of([[0, 1, 2], [3]])
SPLIT = Split((("two words here", "there"),), TAGS, np.arange(2), (), None, NAMES, None)
# (word, which of its pieces): the second and the fourth word have two.
PIECES = np.array([[0, 0], [1, 0], [1, 1], [2, 0], [3, 0], [3, 1]])


def test_later_pieces_go_on_with_what_the_first_begins():
    targets = loss_of_names("cross_entropy", np.ones(5), "tags").targets(SPLIT, PIECES)
    assert [NAMES[tag] for tag in targets["target_labels"]] == ["O", "B-per", "I-per", "I-per", "B-loc", "I-loc"]


def test_what_stands_before_a_word_is_part_of_the_entity_that_goes_on_or_outside():
    before = np.array([[0, -1], [1, -1], [2, -1], [3, -1]])
    targets = loss_of_names("cross_entropy", np.ones(5), "tags").targets(SPLIT, before)
    assert [NAMES[tag] for tag in targets["target_labels"]] == ["O", "O", "I-per", "O"]


def test_plain_tags_and_types_without_a_further_word_stay_what_they_are_and_nothing_is_learned_between_words():
    assert learned(NAMES).tolist() == [[0, 1, 2, 3, 4], [0, 2, 2, 4, 4], [0, 0, 2, 0, 4]]
    assert learned(("NOUN", "VERB", "B-x")).tolist() == [[0, 1, 2], [0, 1, 2], [-1, -1, -1]]
    assert learned(("NOUN", "B-x", "I-x")).tolist() == [[0, 1, 2], [0, 1, 2], [-1, -1, -1]]
    plain = Split((("to be",),), Ragged.of([[0, 1]]), np.arange(1), (), None, ("NOUN", "VERB"))
    targets = loss_of_names("cross_entropy", np.ones(2), "tags").targets(plain, np.array([[0, 0], [1, -1], [1, 0]]))
    assert targets["target_weights"].tolist() == [1.0, 0.0, 1.0]


def test_the_mean_is_that_of_transformers_over_the_pieces_that_are_asked():
    logits = torch.randn(len(PIECES), 5, generator=torch.Generator().manual_seed(0))
    loss = loss_of_names("cross_entropy", np.ones(5), "tags")
    targets = loss.targets(SPLIT, PIECES)
    found = loss.summed(logits, {name: torch.from_numpy(each) for name, each in targets.items()}) / loss.count(targets)
    # transformers' own loss leaves out what is -100: special tokens, and here a padding behind each.
    labels = torch.full((2 * len(PIECES),), -100)
    labels[::2] = torch.from_numpy(targets["target_labels"])
    torch.testing.assert_close(found, torch.nn.CrossEntropyLoss()(logits.repeat_interleave(2, dim=0), labels))


def test_weights_are_those_of_tags_and_balanced_counts_words():
    weights = class_weights("balanced", TAGS, NAMES)
    assert weights.tolist() == [0.8, 0.8, 0.8, 0.8, 0.8]
    assert class_weights("balanced", Ragged.of([[0, 0, 0, 1]]), ("O", "x")).tolist() == pytest.approx([4 / 6, 2])
    loss = loss_of_names("cross_entropy", class_weights(dict.fromkeys(NAMES, 1.0) | {"I-per": 3.0}, TAGS, NAMES), "tags")
    assert loss.count(loss.targets(SPLIT, PIECES)) == pytest.approx(4 + 2 * 3.0)
