"""What the plan knows of texts in the vocabularies of a study: tokens and the share that is unknown, measured on samples. No torch.

A sample is spread over the whole text, and is all of it where that is small; what is said of it is exact then. The stages themselves count
every token when they tokenise.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import chain, islice
from typing import Any

from tokenizers import Tokenizer

from acclimate.data.pairs import pair_marks
from acclimate.data.sample import Measured, Sample, sample_of
from acclimate.data.selection.expected import expected_sample
from acclimate.data.tokens import encoded, special_ids, special_tokens
from acclimate.data.unknown import nothing_to_mask, unknown_words
from acclimate.errors import DataError, ModelError
from acclimate.modeling.base_files import TOKENIZER, read_tokenizer
from acclimate.modeling.fast_paths import FastPaths
from acclimate.modeling.source import Source
from acclimate.stages.base import GENERAL_TEXT, LABELS_OF, task_at
from acclimate.stages.planned import Reads
from acclimate.study.plan.graph import Node, Plan
from acclimate.tasks.opened import Data
from acclimate.tasks.split import Split
from acclimate.tasks.task import Task
from acclimate.wording import side_by_side

SPLITS = ("train", "dev", "test")
LOOKED_AT_ONCE = 1024  # documents, where something known is looked for


@dataclass(frozen=True)
class Part:
    """Of the data: a corpus by name, or `train`, `dev`, `test` or `unlabeled` of a task."""

    name: str
    of: str | None = None  # the task's name; the study's own is `task`

    def __str__(self) -> str:
        return self.name if self.of is None else f"{self.of} {self.name}"


def parts_of(reads: Iterable[str], unlabeled: bool) -> dict[str, tuple[Part, ...]]:
    """The parts of the data that a stage reads, by the name of the corpus, or `task train`, `task dev`, `task test` of its task.

    `reads` is what it says of itself (`Stage.reads`), `unlabeled` whether the corpus `task` has more than the training split.
    """
    found: dict[str, tuple[Part, ...]] = {}
    for what in reads:
        match what:
            case "labels":
                found |= _splits("task", SPLITS)
            case "exam":
                found |= _splits("task", SPLITS[1:])
            case "task text":
                found["task"] = tuple(Part(name, "task") for name in ("train", *(["unlabeled"] if unlabeled else [])))
            case "train text":
                found["task"] = (Part("train", "task"),)
            case "dev text" | "test text":
                found["task"] = (*found.get("task", ()), Part(what.removesuffix(" text"), "task"))
            case _ if what.startswith(LABELS_OF):
                found |= _splits(what.removeprefix(LABELS_OF), SPLITS)
            case _:
                found[what] = (Part(what),)
    return found


def _splits(task: str, splits: Iterable[str]) -> dict[str, tuple[Part, ...]]:
    return {f"task {split}": (Part(split, task),) for split in splits}


class Readings:
    """The readings of a study, each made once when it is asked for."""

    def __init__(self, data: Data) -> None:
        self._data = data
        self._samples: dict[Part, Sample] = {}
        self._tokenizers: dict[str, Tokenizer] = {}
        self._measured: dict[tuple[str, Part], Measured] = {}
        self._known: dict[str, dict[str, Any]] = {}  # by a stage's key
        self._whole: dict[tuple[str, str], Measured] = {}  # by a base, and the texts of a split

    def of(self, source: Source, part: Part) -> Measured:
        """A part of the data in the vocabulary of a base.

        Raises:
            ModelError: its tokenizer cannot be used.
        """
        found = self._measured.get((source.digest, part))
        if found is None:
            try:
                found = Measured.of(self._sample(part), self.tokenizer(source))
            except ModelError as error:
                raise ModelError(f"base {source.name}, on {part}: {error}") from error
            self._measured[source.digest, part] = found
        return found

    def tokenizer(self, source: Source) -> Tokenizer:
        """The vocabulary of a base, truncation and padding off.

        Raises:
            ModelError: its file is not a tokenizer.
        """
        if source.digest not in self._tokenizers:
            self._tokenizers[source.digest] = read_tokenizer(source.folder / TOKENIZER)
        return self._tokenizers[source.digest]

    def special(self, source: Source, texts: int) -> int:
        """Special tokens of an item of so many texts.

        Raises:
            ModelError: the tokenizer knows no pairs, and these are some.
        """
        if texts == 1:
            return sum(map(len, special_ids(self.tokenizer(source))))
        try:
            return pair_marks(self.tokenizer(source)).special
        except ModelError as error:
            raise ModelError(f"base {source.name}: {error}") from error

    def parts(self, node: Node) -> dict[str, tuple[Part, ...]]:
        """What a stage reads of the data, by the name of the corpus, or of the split."""
        task = self._data.task
        return parts_of(node.stage.reads(), task is not None and task.unlabeled is not None)

    def read_by(self, node: Node, source: Source | None, fast: FastPaths = FastPaths(), counted: bool = False) -> Reads:
        """What a stage reads, in the vocabulary of its base; with every text of its task `counted`, which takes its time.

        Raises:
            ModelError: a tokenizer cannot be used.
        """
        about = node.stage.about()
        task = None if self._data.task_called(about) is None else task_at(self._data, node.labels, node.seed, about)
        texts: dict[str, tuple[Measured, ...]] = {}
        if source is not None:
            texts = {name: tuple(self.of(source, part) for part in parts) for name, parts in self.parts(node).items()}
            if counted and task is not None:
                texts |= {f"task {name}": (self._counted(source, split),) for name, split in task.splits.items()}
        whole = task.kind.texts() if task is not None and "task test" in texts and not node.stage.apart else 1
        special = self.special(source, whole) if source is not None and texts else 0
        samples = {} if source is not None else self.samples(node)
        known, beside = self._known.setdefault(node.key, {}), tuple(key for _, key in node.beside)
        return Reads(texts, special, task, fast, node.parent, node.fingerprints, samples, known, beside)

    def _counted(self, source: Source, split: Split) -> Measured:
        """A split in the vocabulary of a base, every text of it."""
        key = (source.digest, split.text_fingerprint)
        if key not in self._whole:
            documents = tuple(dict.fromkeys(split.documents()))
            sample = Sample(documents, len(documents), sum(map(len, documents)), whole=True)
            self._whole[key] = Measured.of(sample, self.tokenizer(source))
        return self._whole[key]

    def samples(self, node: Node) -> dict[str, tuple[Sample, ...]]:
        """Of each text that a stage reads, by the name of the corpus, or of the split."""
        return {name: tuple(map(self._sample, parts)) for name, parts in self.parts(node).items()}

    def _sample(self, part: Part) -> Sample:
        if part not in self._samples:
            self._samples[part] = self._sampled(part)
        return self._samples[part]

    def _task(self, part: Part) -> Task | None:
        return None if part.of is None else self._data.tasks.get(part.of, self._data.task)

    def _sampled(self, part: Part) -> Sample:
        task = self._task(part)
        if task is None and part.name == GENERAL_TEXT and self._data.general is not None:
            return sample_of(self._data.general.documents)
        if task is None:
            return self._text(part.name)
        if part.name == "unlabeled":
            assert task.unlabeled is not None
            return task.unlabeled.sample
        split: Any = getattr(task, part.name)
        return sample_of(tuple(split.documents()))

    def _text(self, name: str) -> Sample:
        # Of a corpus that is still to be chosen: as those that it is chosen from, cut to its size.
        if name in self._data.corpora:
            return self._data.corpora[name].sample
        selection = self._data.selections[name]
        return expected_sample([self._text(source) for source in selection.sources], selection)

    def refuse_unreadable(self, plan: Plan, todo: Iterable[Node]) -> None:
        """Refuse pretrainings on text of which no token can be masked.

        Raises:
            DataError: there is such a text; all of it was looked at.
        """
        for node in todo:
            source = plan.given[node.key].source
            if node.stage.role != "pretrains" or source is None:
                continue
            for name, parts in self.parts(node).items():
                if any(self.of(source, part).readable for part in parts):
                    continue
                whole = all(self.of(source, part).sample.whole for part in parts)
                if whole or not any(self._readable(part, self.tokenizer(source)) for part in parts):
                    raise DataError(f"base {source.name}: {nothing_to_mask(name)}")

    def refuse_texts(self, plan: Plan) -> None:
        """Refuse texts that a stage was told not to take as they are.

        Raises:
            DataError: there are such texts.
        """
        for key, node in plan.nodes.items():
            source = plan.given[key].source
            try:
                node.stage.check_texts(plan.given[key], partial(self.read_by, node, source, counted=True))
            except DataError as error:
                raise DataError(f"recipes.{plan.recipes_of(key)[0]}: {error}") from error

    def _readable(self, part: Part, tokenizer: Tokenizer) -> bool:
        # A sample without a known token is no proof: one is looked for to the end.
        documents, special = self._documents(part), special_tokens(tokenizer)
        while chunk := list(islice(documents, LOOKED_AT_ONCE)):
            if not special[encoded(tokenizer, chunk)[0]].all():
                return True
        return False

    def _documents(self, part: Part) -> Iterator[str]:
        task = self._task(part)
        if task is None:
            return chain.from_iterable(corpus.documents() for corpus in self._data.sources(part.name))
        if part.name == "unlabeled":
            assert task.unlabeled is not None
            return task.unlabeled.documents()
        split: Any = getattr(task, part.name)
        return iter(split.documents())

    def unknown(self, plan: Plan) -> dict[str, dict[str, float]]:
        """The share of unknown tokens of each text that stages read, by the name of the base whose vocabulary it is."""
        found: dict[str, dict[Part, float]] = {}
        for node in plan.nodes.values():
            source = plan.given[node.key].source
            if source is not None:
                shares_of = found.setdefault(source.name, {})
                for part in (part for parts in self.parts(node).values() for part in parts):
                    shares_of[part] = self.of(source, part).unknown_share
        return {name: {str(part): share for part, share in parts.items()} for name, parts in found.items() if parts}

    def notes(self, plan: Plan) -> list[str]:
        """What should be said before anything is trained."""
        # No stage learns from general text: what it means that it cannot be read is said by who measures on it.
        learned = {
            name: {repr(part): share for part, share in parts.items() if part != GENERAL_TEXT} for name, parts in self.unknown(plan).items()
        }
        told = {name: unknown_words(parts) for name, parts in learned.items()}
        return [*(f"base {name}: {words}" for name, words in told.items() if words), *self._of_stages(plan)]

    def _of_stages(self, plan: Plan) -> Iterator[str]:
        """What stages say of their texts, each once, with its recipes; what other seeds and budgets draw changes little."""
        nodes: dict[tuple[str, str | None], list[str]] = {}
        for key, node in plan.nodes.items():
            source = plan.given[key].source
            nodes.setdefault((node.stage.model_dump_json(), None if source is None else source.digest), []).append(key)
        told: dict[str, dict[str, None]] = {}
        for keys in nodes.values():
            recipes = dict.fromkeys(recipe for key in keys for recipe in plan.recipes_of(key))
            node, given = plan.nodes[keys[-1]], plan.given[keys[-1]]
            for note in node.stage.notes(given, partial(self.read_by, node, given.source)):
                told.setdefault(note, {}).update(recipes)
        yield from (f"{side_by_side(recipes)}: {note}" for note, recipes in told.items())
