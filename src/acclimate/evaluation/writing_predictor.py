"""A decoder that learned to write answers, or was judged by those that it writes, ready to write them."""

import json
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from acclimate.errors import ModelError, SettingsError
from acclimate.evaluation.trained_folder import finite_weights, refuse_one_text
from acclimate.evaluation.unread import Unread
from acclimate.modeling.base_files import CHAT, CONFIG, KIND, MAX_LENGTH, NEW_TOKENS
from acclimate.tasks.generate import MOST_NEW, Generate, Written
from acclimate.tasks.split import Split

if TYPE_CHECKING:
    from acclimate.evaluation.written_answers import Writer

Conversation = Sequence[Mapping[str, str]]
"""Messages, `{"role": "user", "content": ...}`; the answer to the last of them is written."""


class WrittenAnswer(NamedTuple):
    """What was written to a prompt."""

    answer: str
    ended: bool
    """Whether it had ended before it was as long as answers may be."""


def writes(config: Mapping[str, Any]) -> bool:
    """Whether the model of a config.json writes answers."""
    return bool(config.get(KIND) == Generate.model_fields["kind"].default)


@dataclass
class Unwritten(Unread):
    """What of prompts was not read, and what of answers was not written."""

    most: int = MOST_NEW
    """Tokens of the longest answer."""
    unended: int = 0
    """Answers that had not ended by then."""

    def told(self) -> str:
        """What should be known of them; empty where all was read and every answer ended."""
        cut = (
            f"{self.cut_texts:,} of {self.texts:,} prompts are longer than the {self.length:,} tokens that an answer leaves, and were cut "
            f"at their beginning: {self.cut_units:,} of {self.units:,} tokens were not read"
        )
        unended = f"{self.unended:,} of {self.texts:,} answers had not ended after {self.most:,} tokens"
        return "; ".join(said for said, count in ((cut, self.cut_texts), (unended, self.unended)) if count)


class WritingPredictor:
    """A decoder, run on padded batches; what it writes is what transformers' greedy `generate` does."""

    labels: tuple[str, ...] = ()
    thresholds: NDArray[np.float64] | None = None

    def __init__(self, folder: Path, max_tokens: int) -> None:
        from acclimate.evaluation.written_answers import Writer
        from acclimate.modeling.execution import Packed
        from acclimate.modeling.folder import ModelFolder
        from acclimate.modeling.heads import load_mlm
        from acclimate.modeling.longest import sequence_length
        from acclimate.objectives.clm import NextTokens
        from acclimate.training.devices import Devices

        model, devices = ModelFolder(folder), Devices()
        decoder, _ = load_mlm(model, 0, None)
        finite_weights(folder, decoder)
        length = sequence_length(model.config.get(MAX_LENGTH), model)
        most = _most(model.config, length, folder)
        asked = NextTokens(Packed(decoder).to(devices.device))
        self._writer = Writer(model, asked, devices, _nothing_kept, bool(model.config.get(CHAT)), length, most, max_tokens)
        self.unread = Unwritten(self._writer.room, most=most)

    @property
    def probabilities(self) -> Callable[..., NDArray[np.float64]]:
        """There are none.

        Raises:
            SettingsError: always.
        """
        raise SettingsError("this model writes answers, and gives no probabilities: say answers(prompts)")

    def answers(self, prompts: Sequence[str] | Sequence[Conversation]) -> list[WrittenAnswer]:
        """An answer to each of N prompts, or of N conversations; to a model that learned conversations a text is what its user says.

        A prompt that leaves too little room for an answer is cut at its beginning, and counted (`unread`).

        Raises:
            DataError: these are conversations, and the tokenizer has no template for them.
            TypeError: one text stands in the place of several.
        """
        refuse_one_text(prompts if isinstance(prompts, str) else ())
        chat = self._writer.chat or not all(isinstance(prompt, str) for prompt in prompts)
        with self._reading(chat) as writer:
            read = writer.prompts([_as_conversation(prompt) if chat else str(prompt) for prompt in prompts])
        written = self._writer.write(read.tokens)
        ended = [len(each) < self._writer.most for each in written]
        self._count(read.whole, sum(ended))
        return [WrittenAnswer(*each) for each in zip(self._writer.decoded(written), ended, strict=True)]

    def judged(self, split: Split, chat: bool) -> Written:
        """What it writes to the prompts of a split, conversations or not, and what the right answers cost it."""
        with self._reading(chat) as writer:
            found, counted = writer.answers(split)
            texts = writer.judged(split)
            self._count(np.diff(texts.prompts.offsets) + len(texts.begin), len(split) - counted["unended"])
        return found

    def _count(self, whole_N: NDArray[np.int64], ended: int) -> None:
        over_N = np.maximum(0, whole_N - self._writer.room)
        self.unread.cut = over_N > 0
        self.unread.count(len(whole_N), int((over_N > 0).sum()), int(whole_N.sum()), int(over_N.sum()))
        self.unread.unended += len(whole_N) - ended

    @contextmanager
    def _reading(self, chat: bool) -> "Iterator[Writer]":
        """The writer, with a place for the tokens of what it is asked now."""
        from acclimate.data.tokens import TokenStore

        tokenizer = self._writer.folder.tokenizer()
        with tempfile.TemporaryDirectory() as folder:
            numbers = iter(range(2))

            def store(texts: Sequence[str]) -> TokenStore:
                return TokenStore.build(Path(folder) / f"tokens {next(numbers)}", iter(texts), tokenizer, "prediction")

            yield replace(self._writer, chat=chat, store=store, kept={})


def _as_conversation(prompt: str | Conversation) -> str:
    return json.dumps([{"role": "user", "content": prompt}] if isinstance(prompt, str) else [*prompt], ensure_ascii=False)


def _nothing_kept(texts: Sequence[str]) -> Any:
    raise AssertionError("a place for tokens is made each time")


def _most(config: Mapping[str, Any], length: int, folder: Path) -> int:
    said = config.get(NEW_TOKENS, min(MOST_NEW, length // 2))
    if not isinstance(said, int) or not 0 < said < length:
        raise ModelError(f"{folder / CONFIG}: {NEW_TOKENS} is {said!r}; an answer has one token at least, and fewer than {length:,}")
    return said
