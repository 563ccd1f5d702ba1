"""Writing an answer to a prompt: rows with a prompt and its completion, or conversations of which the last message is the answer."""

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, Literal, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import model_validator

from acclimate.data.ragged import Ragged
from acclimate.data.readers.columns import detect_column
from acclimate.data.readers.every_text import Asked, asked_text
from acclimate.data.readers.problems import Problems
from acclimate.data.readers.records import Record, Source
from acclimate.data.readers.texts import checked_text
from acclimate.errors import SettingsError
from acclimate.tasks.asked_words import holds_lists
from acclimate.tasks.blocks import Block
from acclimate.tasks.kind import ColumnRole, Form, Head, Judged
from acclimate.tasks.labelled_kind import LabelledKind
from acclimate.tasks.metrics.metric import Metric
from acclimate.tasks.metrics.texts import NATS, UNREAD_BITS
from acclimate.tasks.metrics.written import METRICS, compared, token_f1
from acclimate.tasks.one_name import refuse_not_finite
from acclimate.tasks.rows import Row
from acclimate.tasks.split import Answers, Column, Split
from acclimate.tasks.written_blocks import TOLD

PROMPT = ColumnRole("prompt", ("prompt", "instruction", "question", "query", "input", "source", "text"), is_text=True)
COMPLETION = ColumnRole(
    "completion", ("completion", "response", "answer", "output", "target", "reference", "summary", "translation", "label")
)
MESSAGES = "messages"  # the column of conversations, by the name of its setting
KNOWN_AS = (MESSAGES, "conversation", "conversations")
ROLES = ("system", "user", "assistant", "tool", "developer")
ANSWERS = "assistant"  # whose message the answer is
MOST_NEW = 64  # tokens of an answer, where nothing is said
USE = """\
from transformers import pipeline

write = pipeline("text-generation", model=".")  # "." is this folder; a hub id serves as well
print(write("a prompt", max_new_tokens=64, do_sample=False, return_full_text=False))"""


class Written(NamedTuple):
    """What a model wrote, and what the right answers cost it."""

    texts: tuple[str, ...]
    """[N]."""
    gold_N4: NDArray[np.float64]
    """Of the right answers the nats and number of the tokens that were asked for, bytes, and bytes that the vocabulary cannot read."""


def answered(outputs: Any, split: Split) -> Answers:
    """What was written, how near it is to what is right, and what that cost.

    Bytes that the vocabulary cannot read are never asked for, so each is charged as it is, 8 bits.

    Raises:
        TrainingError: a cost is not a number, as those of a model whose weights are not.
    """
    refuse_not_finite(outputs.gold_N4)
    nats, tokens, size, unread = outputs.gold_N4.T
    assert isinstance(split.gold, tuple)
    likely = {"nats": nats, "tokens": tokens.astype(np.int64), "bits": nats / NATS + UNREAD_BITS * unread, "bytes": size.astype(np.int64)}
    return {"predicted": tuple(outputs.texts), **compared(outputs.texts, split.gold), **likely}


class Generate(LabelledKind):
    """Prompts with an answer each, and how they are read: `path` for the whole, or `train` with or without `dev` and `test`.

    A bare string stands for `path`.
    """

    kind: Literal["generate"] = "generate"
    """What is to be learned: `generate` writes an answer to a prompt."""
    prompt: str | None = None
    """The column that holds the prompt; detected when not given: prompt, instruction, question, ..."""
    completion: str | None = None
    """The column that holds the answer; detected when not given: completion, response, answer, ... Nothing is put between both."""
    messages: str | None = None
    """The column that holds conversations, `[{role: user, content: ...}, {role: assistant, content: ...}]`, in place of these two; detected
    when not given. The last message is the answer; the tokenizer's own template writes the others."""

    item: ClassVar[str] = "prompt"
    right_is: ClassVar[str] = "token F1"
    gold_is: ClassVar[str] = "answers"
    roles: ClassVar[tuple[ColumnRole, ...]] = (COMPLETION, PROMPT)
    metrics: ClassVar[tuple[Metric, ...]] = METRICS
    answered: ClassVar[Mapping[Form, Callable[[Any, Split], Answers]]] = {"text": answered}
    blocks: ClassVar[tuple[Callable[[Judged], Block | None], ...]] = TOLD
    card: ClassVar[tuple[str, str]] = ("text-generation", "writes an answer to a prompt, as in the data it learned from")
    limits: ClassVar[tuple[str, ...]] = (
        "What it writes is what is likely there in texts like those it has learned from, true or not.",
        "It was judged by the words that it shares with one right answer; another answer may be as good, and a wrong one may share many.",
    )
    plain_use: ClassVar[str] = USE
    whole_use: ClassVar[str] = "acclimate predict FOLDER prompts.jsonl --out answers.csv"

    @model_validator(mode="after")
    def _one_form(self) -> Self:
        if self.messages is not None and (self.prompt is not None or self.completion is not None):
            raise ValueError("`messages` holds prompt and answer; leave `prompt` and `completion` out, or `messages`")
        return self

    # Rows

    @property
    def chat(self) -> bool:
        """Whether prompts are conversations, which a tokenizer's template writes."""
        return self.messages is not None

    def detect(self, source: Source, names: tuple[str, ...] = ()) -> tuple[Self, dict[str, str]]:
        """With the column of conversations, where there is one and no other was named."""
        if self.messages is not None or self.prompt is not None or self.completion is not None:
            return self, {}
        found = next((column for column in source.columns if column.strip().casefold() in KNOWN_AS), None)
        return (self, {}) if found is None else (self.model_copy(update={"messages": found}), {"messages": found})

    @classmethod
    def asked(cls, source: Source, stated: Mapping[str, str]) -> Asked:
        """A prompt, or a conversation as JSON: without the answer that may stand at its end already."""
        named = [stated["text"]] if "text" in stated else [name for name in source.columns if name.strip().casefold() in KNOWN_AS]
        column = next((name for name in named if holds_lists(source, name)), None)
        if column is None:
            return asked_text(source, {"text": stated.get("text") or detect_column("text", source, (), PROMPT.known_as)})

        def read(record: Record, problems: Problems) -> tuple[str, ...] | None:
            prompt = _asked_conversation(record, column, problems)
            return None if prompt is None else (prompt,)

        return Asked({MESSAGES: column}, read)

    def columns(self, source: Source) -> tuple[dict[str, str], dict[str, str]]:
        """The conversations, or prompt and completion by their usual names where they are not stated."""
        settled, detected = self.detect(source)
        if settled.messages is None:
            return super().columns(source)
        source.check_columns((settled.messages,))
        return {"messages": settled.messages}, dict(source.detected) | detected

    def read(self, record: Record, columns: Mapping[str, str], problems: Problems) -> Row | None:
        """A prompt and its answer; of a conversation the prompt is all before the last message, as JSON."""
        if "messages" in columns:
            return _conversation(record, columns["messages"], problems)
        prompt = checked_text(record, columns["prompt"], problems)
        answer = None if prompt is None else checked_text(record, columns["completion"], problems)
        return None if prompt is None or answer is None else Row((prompt,), answer)

    def lacking(self, source: Source, columns: Mapping[str, str], train: Any) -> str | None:
        """Nothing hides answers in a way that is known."""
        return None

    def gold(self, targets: Sequence[Any], names: tuple[str, ...]) -> Column:
        """The answers [N]."""
        return tuple(targets)

    def plain(self, inputs: Sequence[Sequence[str]]) -> tuple[str, ...] | None:
        """Of conversations what their messages say, one after the other."""
        return tuple("\n".join(each["content"] for each in json.loads(prompt)) for prompt in inputs[0]) if self.chat else None

    def strata(self, gold: Column) -> Ragged:
        """One for all."""
        return Ragged.single(np.zeros(len(gold), dtype=np.int64))

    def written(self, split: Split, row: int) -> dict[str, Any]:
        """Prompt and completion, or the conversation."""
        prompt, answer = split.inputs[0][row], split.gold[row]
        if self.chat:
            return {self.messages or "": [*json.loads(prompt), {"role": ANSWERS, "content": answer}]}
        return {"prompt": prompt, "completion": answer}

    # Judging

    @classmethod
    def right(cls, split: Split, answers: Answers) -> NDArray[np.float64]:
        """The share of words that it has in common with the right answer."""
        found, gold = answers["predicted"], split.gold
        assert isinstance(found, tuple)
        assert isinstance(gold, tuple)
        return np.array([token_f1(one, other) for one, other in zip(found, gold, strict=True)], dtype=np.float64)

    @classmethod
    def shown(cls, column: Column, row: int, names: tuple[str, ...]) -> str:
        """The text."""
        return str(column[row]) or "(nothing)"

    def head(self, names: tuple[str, ...], form: Form) -> Head:
        """The next token at every place, learned where the answer stands."""
        if form not in self.answered:
            raise SettingsError(f"a model that gives {form} cannot answer generate")
        return Head("text", (), "none", ("next_tokens",))


def _conversation(record: Record, column: str, problems: Problems) -> Row | None:
    value = record.values[column]
    wrong = _wrong(value)
    if wrong:
        problems.add("no conversation", record.file, record.line, f"{column!r} {wrong}", record.values)
        return None
    return Row((_as_json(value[:-1]),), value[-1]["content"])


def _asked_conversation(record: Record, column: str, problems: Problems) -> str | None:
    value = record.values[column]
    messages = value[:-1] if isinstance(value, list) and value and _is_answer(value[-1]) else value
    wrong = _wrong_messages(messages, 1)
    if wrong:
        problems.add("no conversation", record.file, record.line, f"{column!r} {wrong}", record.values)
        return None
    return checked_text(record._replace(values={column: _as_json(messages)}), column, problems)


def _is_answer(message: Any) -> bool:
    return isinstance(message, Mapping) and message.get("role") == ANSWERS


def _as_json(messages: Sequence[Mapping[str, str]]) -> str:
    return json.dumps([{"role": each["role"], "content": each["content"]} for each in messages], ensure_ascii=False)


def _wrong(value: Any) -> str:
    """What is wrong with a conversation that ends with an answer; empty where nothing is."""
    if wrong := _wrong_messages(value, 2):
        return wrong
    if value[-1]["role"] != ANSWERS:
        return f"ends with a message of {value[-1]['role']!r}: the last one, the answer, is of 'assistant'"
    return "" if value[-1]["content"].strip() else "ends with an empty answer"


def _wrong_messages(value: Any, least: int) -> str:
    if not isinstance(value, list) or len(value) < least:
        return f"is no list of {'two messages' if least == 2 else 'a message'} or more, {{role: ..., content: ...}}"
    for number, each in enumerate(value, 1):
        if not isinstance(each, dict) or not isinstance(each.get("content"), str) or not isinstance(each.get("role"), str):
            return f"has as message {number} no `role` and `content` that are texts"
        if each["role"] not in ROLES:
            return f"has the role {each['role']!r} in message {number}; known are {', '.join(ROLES)}"
    return ""
