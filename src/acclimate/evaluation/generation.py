"""Writing answers: the likeliest next token, again and again, in padded batches of prompts of like length."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from tokenizers import Tokenizer
from transformers import GenerationConfig

from acclimate.data.batches import evaluation_batches
from acclimate.data.ragged import IntArray
from acclimate.evaluation.inference import Told
from acclimate.training.devices import Devices
from acclimate.training.memory import is_out_of_memory, nothing_smaller

if TYPE_CHECKING:
    from transformers import PreTrainedModel


def stops(tokenizer: Tokenizer, end: int) -> tuple[int, ...]:
    """The tokens that end an answer: the one behind texts, and every special token, such as a template's end of a turn."""
    return tuple(sorted({end, *(token for token, added in tokenizer.get_added_tokens_decoder().items() if added.special)}))


@torch.no_grad()
def greedy(
    model: "PreTrainedModel", prompts: Sequence[IntArray], most: int, stop: Sequence[int], max_tokens: int, devices: Devices,
    told: Told | None = None,
) -> list[IntArray]:  # fmt: skip
    """Of each prompt the tokens that follow, without the one that ends them, at most `most`; greedy, so the same every time.

    Prompts of like length stand in a batch, padded on their left, of about `max_tokens` with what is written; where memory does not hold
    it, in halves of it. No prompt is empty.

    Raises:
        TrainingError: memory does not hold a single prompt.
    """
    model.train(False)
    lengths = np.array([len(prompt) for prompt in prompts], dtype=np.int64)
    settings: Any = GenerationConfig(  # type: ignore[no-untyped-call]
        max_new_tokens=most, do_sample=False, num_beams=1, eos_token_id=list(stop), pad_token_id=stop[0], use_cache=True
    )
    found: list[IntArray] = [np.zeros(0, dtype=np.int64)] * len(prompts)
    done = 0
    for rows in evaluation_batches(lengths + most, max_tokens):
        for row, written in zip(rows.tolist(), _written(model, [prompts[row] for row in rows.tolist()], settings, devices), strict=True):
            ends = np.flatnonzero(np.isin(written, stop))
            found[row] = written[: ends[0]] if len(ends) else written
        done += int((lengths[rows] + most).sum())
        if told is not None:
            told(done, int((lengths + most).sum()))
    return found


def _written(model: "PreTrainedModel", prompts: Sequence[IntArray], settings: Any, devices: Devices) -> list[IntArray]:
    """What is written to each of a batch, and what pads it behind its end."""
    lengths = [len(prompt) for prompt in prompts]
    ids = torch.full((len(prompts), max(lengths)), settings.pad_token_id, dtype=torch.int64)
    mask = torch.zeros_like(ids)
    for row, prompt in enumerate(prompts):
        ids[row, -len(prompt) :] = torch.from_numpy(prompt)
        mask[row, -len(prompt) :] = 1
    try:
        with devices.autocast():
            out = model.generate(  # type: ignore[operator]
                input_ids=ids.to(devices.device), attention_mask=mask.to(devices.device), generation_config=settings
            )
        return [*out[:, max(lengths) :].cpu().numpy()]
    except (RuntimeError, MemoryError) as error:
        if not is_out_of_memory(error):
            raise
    devices.free_unused()
    if len(prompts) == 1:
        raise nothing_smaller("writing", "the model", lengths[0] + settings.max_new_tokens, devices.device)
    half = len(prompts) // 2
    return [each for part in (prompts[:half], prompts[half:]) for each in _written(model, part, settings, devices)]


def decoded(tokenizer: Tokenizer, written: Sequence[IntArray]) -> tuple[str, ...]:
    """The texts of tokens, without white space around them."""
    return tuple(text.strip() for text in tokenizer.decode_batch([each.tolist() for each in written], skip_special_tokens=True))
