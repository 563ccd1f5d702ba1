"""What documents cost a language model: every token of each asked for once, masked or after those before it, added up by document."""

import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from tokenizers import Tokenizer
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from acclimate.data.tokens import TokenStore, encoded
from acclimate.data.unknown import Unread
from acclimate.evaluation.inference import Told, in_parts
from acclimate.modeling.tensors import TensorBatch
from acclimate.objectives.clm import Borders, EveryNextToken, NextTokens
from acclimate.objectives.every_token import DOCUMENT, EveryToken
from acclimate.objectives.mlm import Vocabulary
from acclimate.training.devices import Devices


@torch.no_grad()
def document_sums(
    model: nn.Module,
    texts: Sequence[str],
    tokenizer: Tokenizer,
    max_length: int,
    max_tokens: int,
    devices: Devices,
    told: Told | None = None,
    borders: Borders | None = None,
) -> NDArray[np.float64]:
    """[N, 5] of each text: nats and number of the tokens asked for, how many of these were found, its bytes, and its unread bytes.

    `model` takes flat batches and gives logits [M, V] at their targets, or is asked for next tokens (`NextTokens`), then with the `borders`
    of texts; windows have at most `max_length` tokens, special ones included.
    """
    model.eval()
    with tempfile.TemporaryDirectory() as folder:
        store = TokenStore.build(Path(folder) / "tokens", iter(texts), tokenizer, "scored")
        asked = _masked(store, tokenizer, max_length) if borders is None else EveryNextToken.of(store, borders, max_length - 1)
        sums_N5 = np.zeros((len(texts), 5))
        done, every = 0, asked.tokens
        for batch in asked.batches(max_tokens):
            nats_M, right_M = torch.cat(in_parts(_of_model(model), batch, devices)).cpu().numpy().T
            document_M = np.asarray(batch.targets[DOCUMENT], dtype=np.int64)
            for column, values in enumerate((nats_M, np.ones(len(nats_M)), right_M)):
                sums_N5[:, column] += np.bincount(document_M, weights=values, minlength=len(texts))
            done += batch.tokens
            if told is not None:
                told(done, every)
    sums_N5[:, 3] = [len(text) if text.isascii() else len(text.encode()) for text in texts]
    sums_N5[:, 4] = _unread(texts, tokenizer)[0][:, 1]
    return sums_N5


def _masked(store: TokenStore, tokenizer: Tokenizer, max_length: int) -> EveryToken:
    words = Vocabulary.of(tokenizer, whole_word=False)
    return EveryToken.of(store, words, max_length - len(words.prefix) - len(words.suffix))


def _of_model(model: nn.Module) -> Callable[[TensorBatch], Tensor]:
    def asked(batch: TensorBatch) -> Tensor:
        """[M, 2] nats, and whether the most probable token is the right one."""
        if isinstance(model, NextTokens):
            return model.nats(batch)
        logits_MV, wanted_M = model(batch).float(), batch.targets["target_ids"]
        right_M = logits_MV.argmax(-1) == wanted_M
        return torch.stack([cross_entropy(logits_MV, wanted_M, reduction="none").double(), right_M.double()], dim=1)

    return asked


def unknown_share(texts: Sequence[str], tokenizer: Tokenizer) -> float:
    """Of the tokens of these texts, those that are unknown to the vocabulary: 0 to 1."""
    counts, tokens = _unread(texts, tokenizer)
    unknown = int(counts[:, 0].sum())
    return min(1.0, unknown / max(1, tokens, unknown))


def _unread(texts: Sequence[str], tokenizer: Tokenizer) -> tuple[NDArray[np.int64], int]:
    """[N, 2] unknown tokens of each text and their bytes; and the tokens of all."""
    ids, lengths = encoded(tokenizer, texts)
    return Unread.by(tokenizer).counts(texts, ids, lengths), len(ids)
