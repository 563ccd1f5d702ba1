"""A BiLSTM reads each text by itself, and comes back from its folder as it was."""

import json

import numpy as np
import pytest
import torch

from acclimate.errors import ModelError
from acclimate.evaluation.predictor import load_predictor
from acclimate.modeling.baselines.bilstm_model import BilstmClassifier, BilstmConfig
from acclimate.modeling.baselines.word_list import WordList
from acclimate.modeling.tensors import to_tensors

TEXTS = ["one two three", "", "two", "three three one unheard two one", "?!", "one " * 30]
WORDS = WordList.of(TEXTS[:3], 100, 1)


def model_of(layers=2, **changes):
    config = BilstmConfig(("a", "b", "c"), WORDS, embedding=6, hidden=5, layers=layers, max_length=12)
    return BilstmClassifier(config, **changes).eval()


def logits(model, texts):
    sequences = model.sequences(texts)
    with torch.no_grad():
        return model(to_tensors(sequences.batch(np.arange(len(texts))), "cpu")).numpy()


@pytest.mark.parametrize("layers", [1, 2])
def test_neither_the_order_of_texts_nor_what_else_stands_in_the_batch_changes_a_text(layers):
    model = model_of(layers)
    together = logits(model, TEXTS)
    alone = np.concatenate([logits(model, [text]) for text in TEXTS])
    np.testing.assert_allclose(together, alone, atol=1e-6)
    np.testing.assert_allclose(logits(model, TEXTS[::-1])[::-1], alone, atol=1e-6)


@pytest.mark.parametrize("layers", [1, 2])
def test_it_is_torchs_own_stack_of_layers_with_the_highest_value_over_time(layers):
    model = model_of(layers)
    stack = torch.nn.LSTM(6, 5, num_layers=layers, bidirectional=True)
    for number, lstm in enumerate(model.lstms):
        for name, value in lstm.named_parameters():
            stack.get_parameter(name.replace("l0", f"l{number}")).data.copy_(value)
    sequences = model.sequences(TEXTS)
    for number in range(len(TEXTS)):
        ids = torch.from_numpy(sequences.batch(np.array([number])).input_ids)
        with torch.no_grad():
            expected = model.out(stack(model.embeddings(ids))[0].max(dim=0).values)
        np.testing.assert_allclose(logits(model, TEXTS)[number], expected.numpy(), atol=1e-6)


def test_words_beyond_the_longest_length_are_cut_and_counted():
    sequences = model_of().sequences(TEXTS)
    assert sequences.lengths.tolist() == [3, 1, 1, 6, 1, 12]
    assert sequences.windows.cut_tokens == 18


def test_the_seed_decides_the_first_weights_and_leaves_the_global_generator_alone():
    torch.manual_seed(5)
    before = torch.get_rng_state()
    one, same, other = (model_of(seed=seed).state_dict() for seed in (1, 1, 2))
    assert torch.equal(torch.get_rng_state(), before)
    assert all(torch.equal(one[name], same[name]) for name in one)
    assert not torch.equal(one["embeddings.weight"], other["embeddings.weight"])


def test_what_is_padded_gets_no_gradient_and_no_gradient_is_lost():
    model = model_of(1).train()
    texts = TEXTS[:4]

    def gradient(parts):
        model.zero_grad()
        for part in parts:
            model(to_tensors(model.sequences(part).batch(np.arange(len(part))), "cpu")).square().sum().backward()
        return {name: parameter.grad.clone() for name, parameter in model.named_parameters()}

    whole, single = gradient([texts]), gradient([[text] for text in texts])
    for name, value in whole.items():
        torch.testing.assert_close(value, single[name], atol=1e-5, rtol=1e-4)


def test_a_saved_model_gives_the_same_probabilities_and_is_json_and_safetensors(tmp_path):
    model = model_of()
    model.save(tmp_path / "model")
    assert sorted(path.name for path in (tmp_path / "model").iterdir()) == ["config.json", "model.safetensors"]
    predictor = load_predictor(tmp_path / "model")
    assert predictor.labels == ("a", "b", "c")
    expected = torch.softmax(torch.from_numpy(logits(model, TEXTS)).double(), dim=-1).numpy()
    np.testing.assert_allclose(predictor.probabilities(TEXTS), expected, atol=1e-7)
    # The same batches: the same bits.
    assert np.array_equal(predictor.probabilities(TEXTS), load_predictor(tmp_path / "model").probabilities(TEXTS))


def test_a_folder_that_is_none_or_whose_files_do_not_fit_is_refused(tmp_path):
    model_of().save(tmp_path)
    config = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps({**config, "hidden": 4}))
    with pytest.raises(ModelError, match="damaged"):
        BilstmClassifier.load(tmp_path)
    (tmp_path / "config.json").write_text(json.dumps({**config, "model_type": "bert"}))
    with pytest.raises(ModelError, match="not a BiLSTM baseline but 'bert'"):
        BilstmClassifier.load(tmp_path)
