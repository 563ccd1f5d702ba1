import numpy as np

from acclimate.tasks.kind import Judged
from acclimate.tasks.multilabel import Multilabel, above
from acclimate.tasks.set_blocks import calibration, each_label, mistakes, together
from acclimate.tasks.split import Split

GOLD = np.array([[1, 1, 0], [1, 0, 0], [0, 0, 0], [0, 1, 0]], dtype=bool)
SPLIT = Split((("a", "b", "c", "d"),), GOLD, np.arange(4), (), None, ("x", "y", "z"))
OUTPUTS = np.array([[0.9, 0.2, 0.1], [0.8, 0.1, 0.0], [0.1, 0.0, 0.2], [0.6, 0.7, 0.1]])
JUDGED = Judged(SPLIT, (above(OUTPUTS, SPLIT), above(OUTPUTS, SPLIT)))


def test_each_label_has_its_scores_its_base_rate_and_its_threshold():
    table = each_label(JUDGED)
    assert table.headings == ("label", "precision", "recall", "F1", "PR-AUC", "base rate", "threshold", "test examples")
    assert table.rows[0] == ("x", 2 / 3, 1.0, 0.8, 1.0, 0.5, 0.5, 2)
    assert table.rows[1] == ("y", 1.0, 0.5, 2 / 3, 1.0, 0.5, 0.5, 2)
    assert table.rows[2] == ("z", None, None, None, None, 0.0, 0.5, 0)
    assert "above one half" in table.note


def test_thresholds_that_were_tuned_are_told_as_their_mean():
    thresholds = (np.array([0.2, 0.4, 0.5]), np.array([0.4, 0.4, 0.5]))
    table = each_label(JUDGED._replace(thresholds=thresholds))
    assert [round(row[6], 6) for row in table.rows] == [0.3, 0.4, 0.5]
    assert "tuned on dev" in table.note
    assert "above one half" in each_label(JUDGED._replace(thresholds=(None, None))).note


def test_labels_are_counted_with_what_was_said():
    matrix = together(JUDGED)
    assert matrix.names == ("x", "y", "z", "no label")
    assert matrix.counts == ((4, 0, 0, 0), (4, 2, 0, 0), (0, 0, 0, 0), (0, 0, 0, 2))
    assert together(JUDGED._replace(split=Split(SPLIT.inputs, GOLD, SPLIT.index, (), None, tuple(map(str, range(26)))))) is None


def test_the_most_frequent_mistakes_are_sets():
    table = mistakes(JUDGED)
    assert table.rows == (("y", "x, y", 2, 0.25), ("x, y", "x", 2, 0.25))
    assert table.shares == (3,)
    right = Judged(SPLIT, (above(GOLD.astype(float), SPLIT),))
    assert mistakes(right) is None


def test_calibration_is_of_every_label_of_every_text():
    points = calibration(JUDGED)
    assert sum(count for *_, count in points.points) == 2 * GOLD.size
    assert points.measure[1] > 0
    assert calibration(Judged(SPLIT, ({"predicted": GOLD},))) is None


def test_nothing_is_told_where_nothing_was_answered():
    assert Multilabel.told_of(Judged(SPLIT, ())) == ()
