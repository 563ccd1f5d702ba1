"""What stages share that let a decoder write answers (`kind: generate`): what the plan looks at, how prompts are read, what is written."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from acclimate.errors import SettingsError
from acclimate.modeling.chat import Chat, chat_of
from acclimate.modeling.longest import check_length
from acclimate.stages.base import Context
from acclimate.stages.planned import Reads, Sizes
from acclimate.tasks.generate import Generate, Written
from acclimate.tasks.split import Split
from acclimate.tasks.task import Task

if TYPE_CHECKING:
    from acclimate.data.completions import Completions
    from acclimate.modeling.folder import ModelFolder
    from acclimate.objectives.clm import NextTokens

MOST_NEW = 64  # tokens of an answer, where nothing is said
SPECIAL = 2  # a token before the prompt, and one behind the answer
Texts = tuple[tuple[str, ...], tuple[str, ...]]


def check_writing(what: str, given: Sizes, task: Task, max_length: int | None, most: int | None) -> None:
    """Refuse a model that cannot write, a conversation that it has no template for, and a window without room; `what` names the stage.

    Raises:
        SettingsError, DataError, ModelError: it is refused.
    """
    assert given.source is not None
    if not given.family.decoder:
        raise SettingsError(
            f"{what}: {given.source.name} is an encoder ({given.family.model_type}), and writes nothing; {task.kind.kind} needs a decoder "
            "(docs/decoders.md)"
        )
    check_length(max_length, given.config)
    length = given.length(max_length)
    if length <= (most or MOST_NEW) + SPECIAL:
        raise SettingsError(
            f"max_new_tokens: {most or MOST_NEW} leave no room for a prompt in {length} tokens; lower it, or raise `max_length`"
        )
    if is_chat(task):
        chat_of(given.source.folder, given.source.name)


def is_chat(task: Task) -> bool:
    """Whether its prompts are conversations."""
    return isinstance(task.kind, Generate) and task.kind.chat


def lengths_of(reads: Reads) -> dict[str, tuple[NDArray[np.float64], NDArray[np.float64]]]:
    """By split the tokens [N] of prompts, and of answers, roughly."""
    assert reads.task is not None
    found = {}
    for name, split in reads.task.splits.items():
        if f"task {name}" in reads.texts:
            measured, gold = reads.texts[f"task {name}"][0], split.gold
            assert isinstance(gold, tuple)
            found[name] = (np.fromiter(measured.lengths(split.inputs[0]), np.float64), np.fromiter(measured.lengths(gold), np.float64))
    return found


def told_of_room(what: str, reads: Reads, length: int, most: int) -> tuple[str, ...]:
    """What should be known of prompts that are longer than what answers leave of the window."""
    notes = []
    for name, (prompt_N, answer_N) in lengths_of(reads).items():
        room = length - SPECIAL - (answer_N if name == "train" else most)
        cut = int((prompt_N > room).sum())
        if cut:
            where = "their answers are cut, or left out" if name == "train" else "they are cut at their beginning"
            notes.append(f"{what}: about {cut:,} of {len(prompt_N):,} {name} prompts leave too little of {length:,} tokens; {where}")
    return tuple(notes)


def operations(given: Sizes, reads: Reads, length: int, most: int, dev_passes: float = 1.0) -> float:
    """Of asking for the right answers of dev and test, and of writing answers to them."""
    found = lengths_of(reads)
    total = 0.0
    for name, passes in (("dev", dev_passes), ("test", 1.0)):
        prompt_N, answer_N = found[name]
        read = float(np.minimum(prompt_N + answer_N + SPECIAL, length).sum())
        written = float(np.minimum(prompt_N + SPECIAL, length).sum()) + most * len(prompt_N)
        total += 2 * given.body * (passes * read + written) + 2 * given.entries * given.hidden * most * len(prompt_N)
    return total


@dataclass(frozen=True)
class Writer:
    """A decoder, its window, and how prompts are read for it."""

    context: Context
    parent: "ModelFolder"
    model: "NextTokens"
    chat: bool
    """Whether prompts are conversations, which the tokenizer's template writes."""
    length: int
    most: int
    """Tokens of an answer."""
    micro: int
    """Tokens of the largest forward pass."""
    kept: dict[int, tuple[Split, "Completions", NDArray[np.float64]]] = field(default_factory=dict, repr=False, compare=False)
    """By the identity of a split, which is held here: what is judged by in tokens, and `_bytes`. Each epoch asks for them; no weight
    changes them."""

    def texts(self, split: Split) -> Texts:
        """Prompts and completions as they are tokenised: conversations as the tokenizer's template writes them."""
        gold = split.gold
        assert isinstance(gold, tuple)
        if not self.chat:
            return split.inputs[0], gold
        chat: Chat = chat_of(self.parent.path, str(self.parent.path))
        found = chat.rendered([(json.loads(prompt), answer) for prompt, answer in zip(split.inputs[0], gold, strict=True)], "messages")
        return tuple(prompt for prompt, _ in found), tuple(answer for _, answer in found)

    def read(self, split: Split, learned: bool) -> "Completions":
        """The prompts and answers of a split in tokens, to learn from or to judge by."""
        from acclimate.data.completions import Completions
        from acclimate.objectives.clm import Borders
        from acclimate.stages.trainer import stored

        prompts, answers = (stored(self.context, self.parent, column) for column in self.texts(split))
        borders = Borders.of(self.parent)
        # Templates begin with the token themselves, where the model knows one, and end each turn.
        full = bool(np.diff(prompts.offsets).all())
        brought = self.chat and full and bool((prompts.tokens[prompts.offsets[:-1]] == borders.begin).all())
        begin, end = (() if brought else (borders.begin,)), None if self.chat else borders.end
        made = Completions.learned if learned else Completions.judged
        return made(prompts, answers, begin, end, self.length, borders.unknown)

    def judged(self, split: Split) -> "Completions":
        """The prompts and answers of a split that is judged by, in tokens: read once."""
        return self._judged(split)[0]

    def _judged(self, split: Split) -> tuple["Completions", NDArray[np.float64]]:
        if id(split) not in self.kept:
            self.kept[id(split)] = (split, self.read(split, learned=False), self._bytes(split))
        return self.kept[id(split)][1:]

    def _bytes(self, split: Split) -> NDArray[np.float64]:
        """[N, 2] bytes of the right answers, and those of them that the vocabulary cannot read."""
        from acclimate.data.tokens import encoded
        from acclimate.data.unknown import Unread

        gold, tokenizer = split.gold, self.parent.tokenizer()
        assert isinstance(gold, tuple)
        unread_N = Unread.by(tokenizer).counts(gold, *encoded(tokenizer, gold))[:, 1]
        return np.stack([np.array([len(answer.encode()) for answer in gold], dtype=np.float64), unread_N], axis=1)

    def likely(self, split: Split) -> NDArray[np.float64]:
        """[N, 4] of the right answers: nats and tokens asked for, bytes that these stand for, and bytes that the vocabulary cannot read."""
        import torch

        from acclimate.data.batches import evaluation_batches
        from acclimate.data.completions import OF_ANSWER
        from acclimate.evaluation.inference import in_parts

        (texts, bytes_N2), devices = self._judged(split), self.context.runtime.devices
        sums_N4 = np.zeros((len(texts), 4))
        self.model.eval()
        with torch.no_grad():
            for rows in evaluation_batches(texts.lengths, self.micro):
                batch = texts.batch(rows)
                if len(batch.targets[OF_ANSWER]):
                    nats_M = torch.cat(in_parts(self.model.nats, batch, devices)).cpu().numpy()[:, 0]
                    answer_M = np.asarray(batch.targets[OF_ANSWER], dtype=np.int64)
                    sums_N4[:, 0] += np.bincount(answer_M, weights=nats_M, minlength=len(texts))
                    sums_N4[:, 1] += np.bincount(answer_M, minlength=len(texts))
        # Of an answer that is cut, what is read stands for so many of its bytes.
        sums_N4[:, 2:] = bytes_N2 * texts.share_read[:, None]
        sums_N4[:, 2] = np.maximum(1.0, sums_N4[:, 2])
        return sums_N4

    def answers(self, name: str, split: Split) -> tuple[Written, dict[str, int]]:
        """What is written to the prompts of a split, what the right answers cost, and what of them was cut."""
        from acclimate.evaluation.generation import decoded, greedy, stops
        from acclimate.objectives.clm import Borders
        from acclimate.stages.watched import watched

        texts, tokenizer = self.judged(split), self.parent.tokenizer()
        room = self.length - self.most
        prompts = [texts.prompt(row, room) for row in range(len(texts))]
        stop, told = stops(tokenizer, Borders.of(self.parent).end), watched(self.context, name, self.micro)
        found = greedy(self.model.packed.model, prompts, self.most, stop, self.micro, self.context.runtime.devices, told)
        self.context.runtime.reporter.close()
        whole_N = np.diff(texts.prompts.offsets) + len(texts.begin)
        counted = {
            f"cut_prompts_{name}": int((whole_N > room).sum()),
            f"cut_answers_{name}": texts.cut_answers,
            f"unended_{name}": sum(len(each) == self.most for each in found),
        }
        return Written(decoded(tokenizer, found), self.likely(split)), counted


def told_of_written(counted: Mapping[str, int], most: int, count: Mapping[str, int]) -> list[str]:
    """What should be known of prompts and answers that were cut."""
    notes = []
    for name, of in count.items():
        for key, words in (
            (f"cut_prompts_{name}", f"prompts were cut at their beginning, so that {most} tokens of answer have room"),
            (f"cut_answers_{name}", "right answers are longer than the window, and were not judged by to their end"),
            (f"unended_{name}", f"answers had not ended after {most} tokens (`max_new_tokens`)"),
        ):
            if counted[key]:
                notes.append(f"{name}: {counted[key]:,} of {of:,} {words}")
    return notes


Answer = Callable[[str, Split], tuple[Written, dict[str, int]]]


def taken(task: Task, context: Context, answer: Answer, most: int) -> tuple[dict[str, Any], list[str]]:
    """Every score of dev and test by what is written to their prompts, and what is to be known; answers go to `predictions.parquet`."""
    from acclimate.stages.decision import Decision

    found: dict[str, Written] = {}
    counted: dict[str, int] = {}
    for name, split in (("dev", task.dev), ("test", task.test)):
        found[name], counts = answer(name, split)
        counted |= counts
    path = context.output / "predictions.parquet" if context.runtime.devices.is_main else None
    scores = Decision(task, "text", found["dev"], None).taken(found["test"], path)
    return {**scores, **counted}, told_of_written(counted, most, {"dev": len(task.dev), "test": len(task.test)})
