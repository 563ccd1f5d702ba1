"""A decoder that writes answers to prompts: how these are read for it, what it writes, and what the right answers cost it."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray

from acclimate.data.batches import evaluation_batches
from acclimate.data.completions import OF_ANSWER, Completions, prompt_of
from acclimate.data.ragged import IntArray
from acclimate.data.tokens import TokenStore, encoded
from acclimate.data.unknown import Unread
from acclimate.evaluation.generation import decoded, greedy, stops
from acclimate.evaluation.inference import Told, in_parts
from acclimate.modeling.chat import chat_of
from acclimate.modeling.folder import ModelFolder
from acclimate.objectives.clm import Borders, NextTokens
from acclimate.tasks.generate import Written
from acclimate.tasks.split import Split
from acclimate.training.devices import Devices


@dataclass(frozen=True)
class Prompts:
    """What N answers are written to."""

    tokens: list[IntArray]
    whole: IntArray
    """[N] tokens of each before it was cut at its beginning."""


@dataclass(frozen=True)
class Writer:
    """A decoder, its window, and how prompts are read for it."""

    folder: ModelFolder
    model: NextTokens
    devices: Devices
    store: Callable[[Sequence[str]], TokenStore]
    """Texts in its vocabulary."""
    chat: bool
    """Whether prompts are conversations, which the tokenizer's template writes."""
    length: int
    most: int
    """Tokens of an answer."""
    micro: int
    """Tokens of the largest forward pass."""
    kept: dict[int, tuple[Split, Completions, NDArray[np.float64]]] = field(default_factory=dict, repr=False, compare=False)
    """By the identity of a split, which is held here: what is judged by in tokens, and `_bytes`. Each epoch asks for them; no weight
    changes them."""

    @cached_property
    def borders(self) -> Borders:
        """The tokens around a text."""
        return Borders.of(self.folder)

    @property
    def room(self) -> int:
        """Tokens of the longest prompt that is read whole."""
        return self.length - self.most

    def texts(self, prompts: Sequence[str], answers: Sequence[str | None]) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Prompts and answers as they are tokenised: conversations as the template writes them; answers that are not there are empty."""
        if not self.chat:
            return tuple(prompts), tuple(answer or "" for answer in answers)
        chat = chat_of(self.folder.path, str(self.folder.path))
        found = chat.rendered([(json.loads(prompt), answer) for prompt, answer in zip(prompts, answers, strict=True)], "messages")
        return tuple(prompt for prompt, _ in found), tuple(answer for _, answer in found)

    def read(self, split: Split, learned: bool) -> Completions:
        """The prompts and answers of a split in tokens, to learn from or to judge by."""
        gold = split.gold
        assert isinstance(gold, tuple)
        prompts, answers = (self.store(column) for column in self.texts(split.inputs[0], gold))
        end = None if self.chat else self.borders.end  # templates end each turn themselves
        made = Completions.learned if learned else Completions.judged
        return made(prompts, answers, self._begin(prompts), end, self.length, self.borders.unknown)

    def judged(self, split: Split) -> Completions:
        """The prompts and answers of a split that is judged by, in tokens: read once."""
        return self._judged(split)[0]

    def prompts(self, texts: Sequence[str]) -> Prompts:
        """What answers are written to, where none is known; a prompt that leaves too little room is cut at its beginning."""
        store = self.store(self.texts(texts, [None] * len(texts))[0])
        begin = self._begin(store)
        return Prompts([prompt_of(store, row, begin, self.room) for row in range(len(texts))], np.diff(store.offsets) + len(begin))

    def write(self, prompts: Sequence[IntArray], told: Told | None = None) -> list[IntArray]:
        """The tokens of an answer to each."""
        stop = stops(self.folder.tokenizer(), self.borders.end)
        return greedy(self.model.packed.model, prompts, self.most, stop, self.micro, self.devices, told)

    def decoded(self, written: Sequence[IntArray]) -> tuple[str, ...]:
        """Answers as texts."""
        return decoded(self.folder.tokenizer(), written)

    def likely(self, split: Split) -> NDArray[np.float64]:
        """[N, 4] of the right answers: nats and tokens asked for, bytes that these stand for, and bytes that the vocabulary cannot read."""
        texts, bytes_N2 = self._judged(split)
        sums_N4 = np.zeros((len(texts), 4))
        self.model.eval()
        with torch.no_grad():
            for rows in evaluation_batches(texts.lengths, self.micro):
                batch = texts.batch(rows)
                if len(batch.targets[OF_ANSWER]):
                    nats_M = torch.cat(in_parts(self.model.nats, batch, self.devices)).cpu().numpy()[:, 0]
                    answer_M = np.asarray(batch.targets[OF_ANSWER], dtype=np.int64)
                    sums_N4[:, 0] += np.bincount(answer_M, weights=nats_M, minlength=len(texts))
                    sums_N4[:, 1] += np.bincount(answer_M, minlength=len(texts))
        # Of an answer that is cut, what is read stands for so many of its bytes.
        sums_N4[:, 2:] = bytes_N2 * texts.share_read[:, None]
        sums_N4[:, 2] = np.maximum(1.0, sums_N4[:, 2])
        return sums_N4

    def answers(self, split: Split, told: Told | None = None) -> tuple[Written, dict[str, int]]:
        """What is written to the prompts of a split, what the right answers cost, and what of them was cut, counted by name."""
        texts = self.judged(split)
        found = self.write([texts.prompt(row, self.room) for row in range(len(texts))], told)
        whole_N = np.diff(texts.prompts.offsets) + len(texts.begin)
        counted = {
            "cut_prompts": int((whole_N > self.room).sum()),
            "cut_answers": texts.cut_answers,
            "unended": sum(len(each) == self.most for each in found),
        }
        return Written(self.decoded(found), self.likely(split)), counted

    def _begin(self, prompts: TokenStore) -> tuple[int, ...]:
        # Templates begin with the token themselves, where the model knows one.
        full = bool(np.diff(prompts.offsets).all())
        brought = self.chat and full and bool((prompts.tokens[prompts.offsets[:-1]] == self.borders.begin).all())
        return () if brought else (self.borders.begin,)

    def _judged(self, split: Split) -> tuple[Completions, NDArray[np.float64]]:
        if id(split) not in self.kept:
            self.kept[id(split)] = (split, self.read(split, learned=False), self._bytes(split))
        return self.kept[id(split)][1:]

    def _bytes(self, split: Split) -> NDArray[np.float64]:
        """[N, 2] bytes of the right answers, and those of them that the vocabulary cannot read."""
        gold, tokenizer = split.gold, self.folder.tokenizer()
        assert isinstance(gold, tuple)
        unread_N = Unread.by(tokenizer).counts(gold, *encoded(tokenizer, gold))[:, 1]
        return np.stack([np.array([len(answer.encode()) for answer in gold], dtype=np.float64), unread_N], axis=1)
