"""How far attention moved: by hand, on models that did not move, and where nothing can be compared."""

import math

import pytest
import torch
from tests.modeling.conftest import build_tiny, make_base

from acclimate.errors import SettingsError
from acclimate.evaluation.attention_facts import attention_facts
from acclimate.evaluation.attention_shift import TOKENS, divergence, shifts
from acclimate.modeling.attention_maps import AttentionReader
from acclimate.modeling.imported_base import import_base

TEXTS = ("w1 w2 w3 w4 w5 w6", "w9 w3", "w20 w21 w22")


@pytest.fixture(scope="module")
def reader(tmp_path_factory):
    made = {}

    def of(name="bert", seed=0, **changes):
        key = (name, seed, *changes.items())
        if key not in made:
            folder = tmp_path_factory.mktemp("model")
            made[key] = AttentionReader(import_base(make_base(folder / "base", build_tiny(name, "mlm", seed, **changes)), folder / "own"))
        return made[key]

    return of


def sample(*readers, texts=TEXTS):
    return [[each.pieces(text) for text in texts] for each in readers]


def test_divergence_is_that_of_its_definition():
    p, q = torch.tensor([0.5, 0.5, 0.0]), torch.tensor([0.1, 0.0, 0.9])
    mixed = (p + q) / 2
    by_hand = sum(sum(a * math.log2(a / m) for a, m in zip(each, mixed, strict=True) if a > 0) / 2 for each in (p, q))
    assert float(divergence(p, q)) == pytest.approx(float(by_hand), abs=1e-6)
    assert float(divergence(torch.tensor([1.0, 0.0]), torch.tensor([0.0, 1.0]))) == 1
    assert float(divergence(p, p)) == 0


def test_a_model_that_did_not_move_moved_by_nothing(reader):
    (shift,) = shifts([reader(), reader()], sample(reader(), reader())).each
    assert {value for row in shift.divergence for value in row} == {0}
    assert shift.cka == [1, 1, 1]


def test_the_means_are_over_all_tokens_and_the_likeness_is_linear_cka(reader):
    before, after = reader(), reader(seed=1)
    found = shifts([before, after], sample(before, after))
    (shift,) = found.each
    read = [[each.read(each.pieces(text)) for text in TEXTS] for each in (before, after)]
    moved = torch.cat([divergence(one.maps, other.maps) for one, other in zip(*read, strict=True)], dim=-1).mean(-1)
    torch.testing.assert_close(torch.tensor(shift.divergence), moved, rtol=0, atol=1e-5)
    layer, head = shift.most
    assert moved[layer, head] == moved.max()
    # Through the matrices of likenesses between tokens, [N, N] (Kornblith et al. 2019, equation 3).
    grams = []
    for each in read:
        states = torch.cat([one.states[1] for one in each]).double()
        centred = states - states.mean(0)
        grams.append(centred @ centred.T)
    one, other = grams
    assert shift.cka[1] == pytest.approx(float((one * other).sum() / (one.norm() * other.norm())), abs=1e-4)
    assert found.tokens == sum(len(each.ids) for each in sample(before)[0])


def test_of_three_models_the_first_and_the_last_are_compared_too(reader):
    three = [reader(), reader(seed=1), reader(seed=2)]
    found = shifts(three, sample(*three)).each
    assert [(each.before, each.after) for each in found] == [(0, 1), (1, 2), (0, 2)]
    assert found[2].divergence == shifts([three[0], three[2]], sample(three[0], three[2])).each[0].divergence


def test_long_texts_are_cut_and_counted(reader):
    model = reader(max_position_embeddings=TOKENS + 40)
    found = shifts([model, model], sample(model, model, texts=("w1 " * (TOKENS + 20), "w1 w2")))
    assert (found.cut, found.tokens, found.most_tokens) == (1, TOKENS + 4, TOKENS)
    few = reader()  # it has no positions for so many
    found = shifts([model, few], sample(model, few, texts=("w1 " * (TOKENS + 20), "w1 w2")))
    assert (found.cut, found.tokens, found.most_tokens) == (1, few.positions + 4, few.positions)


def test_what_cannot_be_compared_is_shown_and_said(reader):
    facts = attention_facts({"one": reader(), "two": reader(num_hidden_layers=2)}, "w1 w2", TEXTS)
    assert facts["moved"] is None
    assert facts["shown"] == {"layer": 1, "head": 1}
    assert "other numbers of layers and heads" in facts["notes"][0]
    assert [model["layers"] for model in facts["models"]] == [3, 2]


@pytest.mark.parametrize(
    ("text", "message"),
    [("w1 " * 70, "72 tokens with one, and 48 are shown at most, for the model reads no more"), ("  ", "no word")],
)
def test_sentences_that_cannot_be_shown_are_refused(reader, text, message):
    with pytest.raises(SettingsError, match=message):
        attention_facts({"one": reader()}, text)


def test_a_text_may_be_cut_to_what_is_shown(reader):
    facts = attention_facts({"one": reader()}, "w1 " * 70, most=9)
    assert facts["cut"]
    assert len(facts["models"][0]["tokens"]) == 9
    assert facts["notes"] == []


def test_tokens_that_a_model_cannot_read_are_counted(reader):
    facts = attention_facts({"one": reader()}, "w1 unheard w2 of")
    assert facts["models"][0]["tokens"][1:5] == ["w1", "unheard", "w2", "of"]
    assert facts["notes"] == ["2 of 6 tokens are unknown to the vocabulary of one: what stands there it cannot read"]
