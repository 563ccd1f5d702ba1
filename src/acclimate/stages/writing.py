"""What stages share that let a decoder write answers (`kind: generate`): what the plan looks at, how prompts are read, what is written."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from acclimate.errors import SettingsError
from acclimate.files import read_json, write_json
from acclimate.modeling.base_files import CHAT, CONFIG, MAX_LENGTH, NEW_TOKENS
from acclimate.modeling.chat import chat_of
from acclimate.modeling.longest import check_length
from acclimate.stages.base import Context
from acclimate.stages.planned import Reads, Sizes
from acclimate.tasks.generate import MOST_NEW, Generate, Written
from acclimate.tasks.split import Split
from acclimate.tasks.task import Task

if TYPE_CHECKING:
    from acclimate.evaluation.written_answers import Writer
    from acclimate.modeling.folder import ModelFolder
    from acclimate.objectives.clm import NextTokens

SPECIAL = 2  # a token before the prompt, and one behind the answer


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


def check_nothing_written(most: int | None) -> None:
    """Refuse a length of answers where there are none.

    Raises:
        SettingsError: one was given.
    """
    if most is not None:
        raise SettingsError("max_new_tokens: nothing is written here; leave it out (`kind: generate` writes answers)")


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


def writer_of(context: Context, parent: "ModelFolder", model: "NextTokens", length: int, most: int, micro: int) -> "Writer":
    """A decoder that writes answers of `most` tokens in windows of `length`, in forward passes of at most `micro`."""
    from acclimate.evaluation.written_answers import Writer
    from acclimate.stages.trainer import stored

    store = partial(stored, context, parent)
    return Writer(parent, model, context.runtime.devices, store, is_chat(context.task()), length, most, micro)


def answering(context: Context, writer: "Writer") -> "Answer":
    """Of a split, by its name, what is written to its prompts, and what of it was cut; it is told how far that is."""
    from acclimate.stages.watched import watched

    def answer(name: str, split: Split) -> tuple[Written, dict[str, int]]:
        found, counted = writer.answers(split, watched(context, name, writer.micro))
        context.runtime.reporter.close()
        return found, {f"{what}_{name}": count for what, count in counted.items()}

    return answer


def say_how_it_writes(context: Context, writer: "Writer") -> None:
    """Let the folder of a stage's model tell by itself how it is asked, so that whoever has it gets the answers that were judged."""
    if context.runtime.devices.is_main:
        config = context.output / "model" / CONFIG
        said = {MAX_LENGTH: writer.length, NEW_TOKENS: writer.most, CHAT: writer.chat}
        write_json(config, read_json(config) | said)


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
