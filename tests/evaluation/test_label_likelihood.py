"""Labels by how likely their words come next: what packed prompts give equals plain transformers, one sequence at a time."""

import json

import numpy as np
import pytest
import torch
from tests.modeling.conftest import DECODERS, build_tiny, make_tokenizer
from tokenizers import Tokenizer, models, pre_tokenizers

from acclimate.data.prompts import check_question, check_room, cut_example, prompt_sequences, question_of
from acclimate.data.tokens import TokenStore, plain
from acclimate.errors import ModelError, SettingsError
from acclimate.evaluation.label_likelihood import label_log_likelihoods
from acclimate.modeling.base_files import TEMPLATE
from acclimate.modeling.execution import Packed
from acclimate.modeling.fast_paths import FastPaths
from acclimate.modeling.label_prompt import LabelPrompt, prior_of
from acclimate.modeling.label_words import Cloze
from acclimate.objectives.clm import NextTokens
from acclimate.training.devices import Devices

pytestmark = pytest.mark.measured(1)

LABELS, NAMES = ("x", "y", "z"), {"x": ("w1",), "y": ("w2 w3", "w9"), "z": ("w2 w4 w5", "w7 w8")}
EXAMPLES = "w20 w21 w6 w1 w30 w31 w6 w9 "
TEXTS = ["w10 w11 w12", "", " ".join(f"w{20 + number % 30}" for number in range(60)), "w13"]
OTHERS = ["w40", "w41 w42", "w43", " ".join(f"w{50 - number % 20}" for number in range(60))]


def plainly(model, ids, word):
    """The summed log-likelihood of the tokens of a word after `ids`."""
    with torch.no_grad():
        log = model(input_ids=torch.tensor([ids + list(word)])).logits[0].log_softmax(-1)
    return sum(float(log[len(ids) - 1 + place, token]) for place, token in enumerate(word))


@pytest.mark.parametrize("name", DECODERS)
def test_likelihoods_of_words_equal_those_of_plain_transformers(name, tmp_path):
    model, tokenizer = build_tiny(name, "mlm").eval(), plain(make_tokenizer())
    columns, template = ([TEXTS], "{text} w6 {mask} w5") if name != "llama" else ([TEXTS, OTHERS], "{text_b} w5 {text} w6 {mask}")
    asked = LabelPrompt(Cloze(LABELS, template, NAMES, len(columns)), EXAMPLES)
    question = asked.question(tokenizer)
    assert sorted(question.stems) == [(7, 9), (12,)]
    stores = [TokenStore.build(tmp_path / str(at), iter(column), tokenizer, "tried") for at, column in enumerate(columns)]
    prompts = prompt_sequences(stores, question, 2, 32)
    assert prompts.lengths.max() == 32
    assert prompts.shared.tolist() == ([2, *plain(tokenizer).encode(EXAMPLES, add_special_tokens=False).ids][:-1])
    seen: list[int] = []
    packed = Packed(model)
    run = packed.states
    packed.states = lambda batch: seen.append(len(batch.input_ids)) or run(batch)
    found = label_log_likelihoods(NextTokens(packed), prompts, 70, Devices("float32"))
    assert sum(seen) == prompts.lengths.sum() - (len(prompts.lengths) - 1) * len(prompts.shared), "the examples are read once"
    assert packed.before == ()
    whole = label_log_likelihoods(NextTokens(Packed(model, FastPaths(packed=False))), prompts, 70, Devices("float32"))
    np.testing.assert_allclose(found, whole, atol=1e-5)
    ids = lambda text: tokenizer.encode(text, add_special_tokens=False).ids  # noqa: E731
    for row, _ in enumerate(TEXTS):
        read = [store[row][: windows.length[row]].tolist() for store, windows in prompts.contexts.columns]
        parts = [read[0], ids("w6")] if len(read) == 1 else [read[1], ids("w5"), read[0], ids("w6")]
        context = [2, *ids(EXAMPLES), *(token for part in parts for token in part)]
        for label, words in enumerate(NAMES.values()):
            wanted = np.log(np.mean(np.exp([plainly(model, context, ids(word)) for word in words])))
            assert found[row, label] == pytest.approx(wanted, abs=1e-5)
    assert np.ptp(found[:, 0] - found[:, 2]) > 1e-3, "an answer that never changes would equal anything"


def test_what_is_said_of_no_content_is_divided_by():
    likely = np.log([[0.3, 0.1], [0.06, 0.02]])
    assert prior_of(likely) == pytest.approx((0.75, 0.25))
    cloze = Cloze(("x", "y"), "{text} {mask}")
    found = LabelPrompt(cloze, "", prior_of(likely)).probabilities(np.log([[0.3, 0.1], [0.2, 0.2]]))
    np.testing.assert_allclose(found, [[0.5, 0.5], [0.25, 0.75]])
    np.testing.assert_allclose(LabelPrompt(cloze).probabilities(np.log([[0.3, 0.1]])), [[0.75, 0.25]])


def byte_level():
    """A vocabulary that knows words with the space before them, as GPT-2's."""
    words = ["T", "h", "e", "a", "b", "c", ".", "\u010a", "\u0120", "\u0120a", "\u0120b", "\u0120c", "ab", "1"]
    merges = [("a", "b"), ("\u0120", "a"), ("\u0120", "b"), ("\u0120", "c")]
    tokenizer = Tokenizer(models.BPE({word: at for at, word in enumerate(words)}, merges))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    return tokenizer


def test_tokens_of_words_are_those_that_follow_in_the_whole():
    tokenizer = byte_level()
    ids = lambda *names: tuple(tokenizer.token_to_id(name) for name in names)  # noqa: E731
    found = question_of(tokenizer, "{text} c {mask}.", 1, [["a", "ab"], ["1"]], "ab c b.\n\n")
    assert found.words == ((ids("\u0120a"), ids("\u0120", "ab")), (ids("\u0120", "1"),))
    assert [part for part in found.parts if isinstance(part, int)] == [*ids("ab", "\u0120c", "\u0120b", ".", "\u010a", "\u010a", "\u0120c")]
    with pytest.raises(SettingsError, match=r"one token of what stands before \{mask\} and the beginning of 'b'"):
        question_of(tokenizer, "{text} a{mask}", 1, [["b"]])


def test_texts_of_examples_are_cut_to_their_part():
    tokenizer = plain(make_tokenizer())
    long = " ".join(f"w{number}" for number in range(20))
    assert cut_example(tokenizer, "{text} w6 {mask}", ["w1 w2"], "w9", 8) == ("w1 w2 w6 w9", False)
    assert cut_example(tokenizer, "{text} w6 {mask}", [long], "w9", 8) == ("w0 w1 w2 w3 w4 w5 w6 w9", True)
    assert cut_example(tokenizer, "{text} w6 {text_b} {mask}", [long, "w1 w2"], "w9", 8) == ("w0 w1 w2 w3 w6 w1 w2 w9", True)
    with pytest.raises(SettingsError, match="no room for a text"):
        cut_example(tokenizer, "{text} w6 {mask}", [long], "w9", 2)
    question = question_of(tokenizer, "{text} w6 {mask}", 1, [["w1"], ["w2 w3"]])
    assert check_room(question, 31, 2) == 10
    with pytest.raises(SettingsError, match=r"shots: 3 examples and a text have 7 tokens each of max_length 31, .* `shots: 2` or"):
        check_room(question, 31, 3)


def test_a_text_behind_the_mask_is_refused_and_a_damaged_prompt_too():
    with pytest.raises(SettingsError, match=r"\{text_b\} stands behind \{mask\}: a decoder reads from left to right"):
        check_question("{text} {mask} {text_b}", 2)
    asked = LabelPrompt(Cloze(LABELS, "{text} {mask}", NAMES), EXAMPLES, (0.5, 0.25, 0.25))
    written = json.loads(json.dumps(asked.written(asked.question(make_tokenizer()), 2)))
    assert LabelPrompt.read({TEMPLATE: written}, "here") == asked
    assert LabelPrompt.read({}, "here") is None
    for wrong in ({"prior": [1.0]}, {"prior": [1.0, 0.0, 0.0]}, {"template": "{text}"}, {"labels": []}):
        with pytest.raises(ModelError, match="acclimate_template is damaged"):
            LabelPrompt.read({TEMPLATE: written | wrong}, "here")
