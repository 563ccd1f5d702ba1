"""Written answers: padded batches write what transformers writes to each prompt alone, and answers cost what its own loss says."""

import numpy as np
import pytest
import torch
from tests.modeling.conftest import DECODERS, build_tiny, make_tokenizer
from transformers import GenerationConfig

from acclimate.data.completions import OF_ANSWER, Completions
from acclimate.data.ragged import offsets_of
from acclimate.data.tokens import TokenStore, plain
from acclimate.errors import DataError, TrainingError
from acclimate.evaluation.generation import decoded, greedy, stops
from acclimate.modeling.execution import Packed
from acclimate.modeling.tensors import to_tensors
from acclimate.objectives.clm import NextTokens
from acclimate.training.devices import Devices

pytestmark = pytest.mark.measured(1)

PROMPTS, ANSWERS, BEGIN, END = (3, 12, 1, 7), (2, 4, 3, 1), (2,), 3


def store(lengths, seed):
    ids = np.random.default_rng(seed).integers(5, 60, sum(lengths)).astype(np.uint16)
    return TokenStore(ids, offsets_of(np.array(lengths)))


def both(made, length, unknown=None):
    return made(store(PROMPTS, 0), store(ANSWERS, 1), BEGIN, END, length, unknown)


@pytest.mark.parametrize("name", DECODERS)
def test_padded_batches_write_what_transformers_writes_to_each_prompt_alone(name):
    model, alone = build_tiny(name, "mlm").eval(), build_tiny(name, "mlm").eval()
    rng, stop = np.random.default_rng(0), (3, 7, 8)
    prompts = [rng.integers(9, 60, length) for length in (5, 17, 1, 9, 4, 2)]
    found = greedy(Packed(model).model, prompts, 12, stop, 60, Devices("float32"))
    settings = GenerationConfig(max_new_tokens=12, do_sample=False, eos_token_id=[*stop], pad_token_id=0)
    for prompt, written in zip(prompts, found, strict=True):
        with torch.no_grad():
            (whole,) = alone.generate(input_ids=torch.from_numpy(prompt)[None], generation_config=settings)
        expected = [token for token in whole[len(prompt) :].tolist() if token not in stop]
        assert written.tolist() == expected
    assert len({len(each) for each in found}) > 1 or len({tuple(each) for each in found}) > 1


def test_a_batch_that_memory_does_not_hold_is_written_to_in_halves(monkeypatch):
    model, rng, asked = build_tiny("llama", "mlm").eval(), np.random.default_rng(1), []
    prompts = [rng.integers(9, 60, length) for length in (5, 6, 5, 4, 6)]
    whole, write = greedy(model, prompts, 6, (3,), 1000, Devices("float32")), model.generate

    def generate(input_ids, **others):
        asked.append(len(input_ids))
        if len(input_ids) > most:
            raise torch.OutOfMemoryError("DefaultCPUAllocator")
        return write(input_ids=input_ids, **others)

    monkeypatch.setattr(model, "generate", generate)
    most = 2
    for one, other in zip(whole, greedy(model, prompts, 6, (3,), 1000, Devices("float32")), strict=True):
        assert one.tolist() == other.tolist()
    assert asked == [5, 2, 3, 1, 2]
    most = 0
    with pytest.raises(TrainingError, match=r"out of memory with a single sequence of 1[0-2] tokens"):
        greedy(model, prompts, 6, (3,), 1000, Devices("float32"))


def test_the_loss_is_that_of_transformers_where_prompts_are_left_out():
    model = build_tiny("llama", "mlm").eval()
    texts = both(Completions.learned, 40)
    batch = texts.batch(np.array([2, 0, 3, 1]))
    ids, labels = (torch.full((4, int(batch.lengths.max())), fill) for fill in (0, -100))
    for row, (item, begin, end) in enumerate(zip([2, 0, 3, 1], batch.offsets[:-1], batch.offsets[1:], strict=True)):
        ids[row, : end - begin] = torch.from_numpy(batch.input_ids[begin:end])
        labels[row, 1 + PROMPTS[item] : end - begin] = ids[row, 1 + PROMPTS[item] : end - begin]
        assert ids[row, : end - begin].tolist() == [2, *texts.prompts[item].tolist(), *texts.answers[item].tolist(), 3]
    asked = len(batch.targets["target_ids"])
    assert asked == sum(ANSWERS) + 4
    with torch.no_grad():
        expected = model(input_ids=ids, attention_mask=(labels != -100) | (ids != 0), labels=labels).loss * asked
        module = NextTokens(Packed(model))
        torch.testing.assert_close(module(to_tensors(batch, "cpu")), expected, rtol=1e-5, atol=0)
    assert np.bincount(batch.targets[OF_ANSWER]).tolist() == [length + 1 for length in ANSWERS]


def test_what_is_learned_is_cut_at_its_end_and_what_judges_at_its_beginning():
    learned = both(Completions.learned, 8)
    assert learned.prompt_length.tolist() == [3, 7, 1, 7]
    assert learned.answer_length.tolist() == [2, 0, 3, 0]
    assert learned.ended.tolist() == [True, False, True, False]
    assert learned.answered.tolist() == [0, 2]
    assert (learned.lost, learned.cut_answers, learned.cut_prompts) == (2, 2, 1)
    assert learned.lengths.max() == 8
    with pytest.raises(DataError, match="of 2 of 4 training prompts nothing of the answer is left in 8 tokens"):
        learned.refuse_lost(8)
    judged = both(Completions.judged, 8)
    assert judged.answer_length.tolist() == [*ANSWERS]
    assert judged.prompt_length.tolist() == [3, 2, 1, 5]
    assert judged.lengths.max() == 8
    assert judged.batch(np.array([1])).input_ids.tolist() == [2, *judged.prompts[1][-2:].tolist(), *judged.answers[1].tolist(), 3]
    assert judged.prompt(1, 6).tolist() == [2, *judged.prompts[1][-5:].tolist()]
    tight = both(Completions.judged, 5)
    assert tight.answer_length.tolist() == [2, 3, 3, 1]
    assert tight.share_read.tolist() == [1, 0.75, 1, 1]
    unknown = int(judged.answers[0][0])
    assert unknown not in both(Completions.judged, 40, unknown).batch(np.arange(4)).targets["target_ids"]


def test_an_answer_ends_at_any_special_token_and_is_a_text_without_them():
    tokenizer = plain(make_tokenizer())
    assert stops(tokenizer, 9) == (0, 1, 2, 3, 4, 9)
    assert decoded(tokenizer, [np.array([5, 6]), np.array([], dtype=np.int64), np.array([3, 7])]) == ("w0 w1", "", "w2")
