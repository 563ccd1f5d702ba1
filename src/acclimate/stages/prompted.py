"""What the stage `prompt` does with a decoder: examples of the seed, then the text, and which label's words are likely to come next."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from acclimate.data.prompts import Question, check_room, cut_example
from acclimate.errors import SettingsError
from acclimate.modeling.label_prompt import CONTENT_FREE, LabelPrompt, joined, prior_of, separator_of
from acclimate.randomness import generator
from acclimate.stages.base import Context, Outcome
from acclimate.stages.long_texts import LongTexts
from acclimate.stages.planned import Reads, Sizes, Work
from acclimate.tasks.split import Split
from acclimate.tasks.task import Task

if TYPE_CHECKING:
    from tokenizers import Tokenizer

    from acclimate.modeling.folder import ModelFolder


def drawn(gold_N: NDArray[np.integer], shots: int, seed: int) -> NDArray[np.int64]:
    """[at most `shots`] rows for examples, in the order in which they stand in the prompt; fewer shots are some of more.

    Classes take turns, in an order that the seed draws, until one has no more; which rows of a class, and the order of all, are drawn, too.
    """
    place = generator(seed, "shots").permutation(len(gold_N))
    classes = generator(seed, "shots", "classes").permutation(int(gold_N.max(initial=-1)) + 1)
    turn = np.empty(len(gold_N), dtype=np.int64)
    for number in np.unique(gold_N):
        rows = np.flatnonzero(gold_N == number)
        turn[rows[np.argsort(place[rows])]] = np.arange(len(rows))
    chosen = np.lexsort((classes[gold_N], turn))[:shots]
    return np.asarray(chosen[np.argsort(generator(seed, "shots", "order").permutation(len(gold_N))[chosen])], dtype=np.int64)


class Examples(NamedTuple):
    """What stands before every text."""

    text: str
    rows: tuple[int, ...]
    """Of the training split, as numbered in its files, in order."""
    cut: int
    """How many of them were cut."""


def examples_of(tokenizer: "Tokenizer", prompt: LabelPrompt, train: Split, shots: int, length: int, seed: int) -> Examples:
    """The examples of a seed from training texts, each of an equal part of a prompt of `length` tokens at most.

    Raises:
        SettingsError: no text has room beside so many, or the tokenizer does not keep an example apart from what comes after it.
    """
    if not shots:
        return Examples("", (), 0)
    cloze, gold = prompt.cloze, np.asarray(train.gold)
    separator_room = 2
    share = check_room(prompt.question(tokenizer), length, shots) - separator_room
    made, cut = [], 0
    rows = drawn(gold, shots, seed)
    for row in rows.tolist():
        texts = [column[row] for column in train.inputs]
        example, shorter = cut_example(tokenizer, cloze.template, texts, cloze.words[int(gold[row])][0], share)
        made.append(example)
        cut += shorter
    separator = separator_of(tokenizer, cloze, made[-1])
    return Examples(joined(made, separator), tuple(train.index[rows].tolist()), cut)


def check_decoder(prompt: LabelPrompt, shots: int, task: Task, length: int, tokenizer: "Tokenizer | None") -> None:
    """Refuse a template, words or examples that do not fit the task, the vocabulary or the window.

    Raises:
        SettingsError: they do not.
    """
    prompt.check()
    if shots > len(task.train):
        raise SettingsError(f"shots: {shots} examples were asked for, and there are {len(task.train):,} training {task.kind.item}s")
    if tokenizer is None:
        return
    question = prompt.question(tokenizer)
    if shots:
        check_room(question, length, shots)
    elif question.fixed + task.kind.texts() > length:
        raise SettingsError(f"max_length: of {length} tokens the template takes {question.fixed}: no text has room")


def told_of_prompt(prompt: LabelPrompt, shots: int, reads: Reads, length: int, tokenizer: "Tokenizer | None") -> tuple[str, ...]:
    """What should be known of examples, and of texts that they leave no room for, before anything is spent."""
    if tokenizer is None:
        return ()
    task = reads.task
    assert task is not None
    question = prompt.question(tokenizer)
    before, notes = 0.0, []
    if shots:
        share = check_room(question, length, shots)
        train_N = np.fromiter(reads.texts["task train"][0].lengths_together(task.train.inputs), np.float64) + question.fixed
        before = shots * float(np.minimum(train_N, share).mean()) if len(train_N) else 0.0
        longer = int((train_N > share).sum())
        if longer:
            notes.append(
                f"prompt: {shots} examples of at most {share} tokens each; {longer:,} of {len(train_N):,} training {task.kind.item}s are "
                "longer and are cut where they are drawn — fewer `shots`, or a larger `max_length`, cut less"
            )
        missing = len(set(task.names)) - len(set(np.unique(np.asarray(task.train.gold)).tolist()))
        if shots < len(task.names) or missing:
            without = max(len(task.names) - shots, missing)
            notes.append(f"prompt: {shots} examples show {len(task.names) - without} of {len(task.names)} {task.kind.name_is}s")
    long = LongTexts(task.kind, "sequence", length, "cut", None, None, template=True)
    return (*notes, *long.notes(reads, round(question.fixed + before)))


def work_of_prompt(prompt: LabelPrompt, shots: int, given: Sizes, reads: Reads, length: int, tokenizer: "Tokenizer | None") -> Work:
    """What it takes: the examples once, and behind them every text for each beginning of words of several tokens."""
    assert reads.task is not None
    question = None if tokenizer is None else prompt.question(tokenizer)
    fixed, stems = (8, 1) if question is None else (question.fixed, len(question.stems))
    before, tokens, items = 0.0, 0.0, 0
    if shots:
        train_N = np.fromiter(reads.texts["task train"][0].lengths_together(reads.task.train.inputs), np.float64) + fixed
        before = shots * float(np.minimum(train_N, length / (shots + 1)).mean()) if len(train_N) else 0.0
    for name, split in (("dev", reads.task.dev), ("test", reads.task.test)):
        length_N = np.fromiter(reads.texts[f"task {name}"][0].lengths_together(split.inputs), np.float64)
        # What all prompts begin with goes through the model once.
        tokens += float(np.minimum(length_N + fixed, length - before).sum()) + before
        items += len(split)
    return Work(given.disk_bytes, operations=2 * stems * (tokens * given.body + items * given.entries * given.hidden))


def run_prompt(
    prompt: LabelPrompt, shots: int, calibrate: bool, parent: "ModelFolder", context: Context, max_length: int | None
) -> Outcome:
    """Ask a decoder for dev and test, and hand it on with what it was asked."""
    from acclimate.data.prompts import pattern_of_question, prompt_sequences
    from acclimate.evaluation.inference import Told
    from acclimate.evaluation.label_likelihood import label_log_likelihoods
    from acclimate.modeling.execution import Packed
    from acclimate.modeling.folder import save_model
    from acclimate.modeling.heads import load_mlm
    from acclimate.modeling.longest import sequence_length
    from acclimate.objectives.clm import Borders, NextTokens
    from acclimate.stages.trainer import forward_tokens, stored
    from acclimate.stages.untrained import Said, answered

    runtime, task, tokenizer = context.runtime, context.task(), parent.tokenizer()
    length, begin = sequence_length(max_length, parent), Borders.of(parent).begin
    examples = examples_of(tokenizer, prompt, task.train, shots, length, context.seed)
    asked = replace(prompt, examples=examples.text)
    question = asked.question(tokenizer)
    decoder, _ = load_mlm(parent, context.seed)
    micro = forward_tokens(context, decoder, 0.0)
    model = NextTokens(Packed(decoder, runtime.fast).to(runtime.devices.device))
    pattern = pattern_of_question(question, begin)

    def likelihoods(columns: tuple[tuple[str, ...], ...], told: Told | None) -> tuple[NDArray[np.float64], Said]:
        stores = [stored(context, parent, column) for column in pattern.led(columns)]
        prompts = prompt_sequences(stores, question, begin, length)
        found = label_log_likelihoods(model, prompts, micro, runtime.devices, told)
        return found, Said(found, prompts.contexts.cut_tokens, prompts.contexts.tokens, prompts.contexts.unknown_share)

    if calibrate:
        free, _ = likelihoods((CONTENT_FREE,) * task.kind.texts(), None)
        asked = replace(asked, prior=prior_of(free))

    def ask(_: str, split: Split, told: Told) -> Said:
        found, said = likelihoods(split.inputs, told)
        return said._replace(outputs=asked.probabilities(found))

    def write(output: Path) -> None:
        save_model(output, parent, decoder, length, asked=asked.written(question, begin))

    outcome = answered(context, parent, (length, micro), ask, write, tuple(_told(examples, shots, question, length)))
    facts = {"examples": list(examples.rows), "examples_cut": examples.cut} if shots else {}
    known = {} if asked.prior is None else {"content_free": dict(zip(task.names, asked.prior, strict=True))}
    return replace(outcome, metrics=outcome.metrics | facts | known)


def _told(examples: Examples, shots: int, question: Question, length: int) -> list[str]:
    if not shots:
        return []
    there = len(examples.rows)
    notes = [f"prompt: the examples and the template take {question.fixed:,} of {length:,} tokens"]
    if there < shots:
        notes.append(f"prompt: {shots} examples were asked for, and this budget has {there}")
    if examples.cut:
        notes.append(f"prompt: {examples.cut} of {there} examples were cut to have room; fewer `shots`, or a larger `max_length`, cut less")
    return notes
