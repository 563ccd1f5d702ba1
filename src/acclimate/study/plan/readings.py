"""What the plan knows of texts in the vocabularies of a study: tokens and the share that is unknown, measured on samples. No torch.

A sample is spread over the whole text, and is all of it where that is small; what is said of it is exact then. The stages themselves count
every token when they tokenise.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from typing import Any

from tokenizers import Tokenizer

from acclimate.data.mixture import shares
from acclimate.data.ragged import IntArray
from acclimate.data.sample import Sample, sample_of
from acclimate.data.tokens import encoded, special_ids, special_tokens
from acclimate.data.unknown import Unread, nothing_to_mask, unknown_words
from acclimate.errors import DataError, ModelError
from acclimate.modeling.base_files import TOKENIZER, read_tokenizer
from acclimate.modeling.source import Source
from acclimate.stages.base import Stage
from acclimate.stages.finetune import Finetune
from acclimate.stages.pretrain import Pretrain
from acclimate.stages.prune import Prune
from acclimate.stages.start import Start
from acclimate.study.plan.graph import Node, Plan
from acclimate.tasks.opened import Data

SPLITS = ("train", "dev", "test")
LOOKED_AT_ONCE = 1024  # documents, where something known is looked for


@dataclass(frozen=True)
class Part:
    """Of the data: a corpus by name, or `train`, `dev`, `test` or `unlabeled` of the task."""

    name: str
    of_task: bool = False

    def __str__(self) -> str:
        return f"task {self.name}" if self.of_task else self.name


@dataclass(frozen=True)
class Reading:
    """A text in a vocabulary."""

    sample: Sample
    counts: IntArray
    """Tokens of each text of the sample, without special ones."""
    unknown: int
    """Unknown tokens of the sample."""
    readable: bool
    """Some token of the sample can be masked."""

    @property
    def unknown_share(self) -> float:
        """Of the tokens: 0 to 1."""
        return min(1.0, self.unknown / max(1, int(self.counts.sum()), self.unknown))

    @property
    def tokens(self) -> float:
        """Of the whole text, without special ones."""
        return self.per_character * self.sample.characters

    @cached_property
    def per_character(self) -> float:
        """Tokens a character."""
        return float(self.counts.sum()) / max(1, sum(map(len, self.sample.texts)))

    def windows(self, room: int) -> float:
        """How many windows of at most so many tokens the text fills."""
        if self.sample.whole:
            return float((-(-self.counts // room)).sum())
        mean = self.tokens / max(1, self.sample.documents)
        return self.sample.documents * max(1.0, 0.5 + mean / room)

    def lengths(self, texts: Iterable[str]) -> Iterator[float]:
        """Tokens of each of some of the texts, without special ones; rough for those outside the sample."""
        return (self._known.get(text, self.per_character * len(text)) for text in texts)

    @cached_property
    def _known(self) -> dict[str, int]:
        return dict(zip(self.sample.texts, self.counts.tolist(), strict=True)) if self.sample.whole else {}


class Readings:
    """The readings of a study, each made once when it is asked for."""

    def __init__(self, data: Data) -> None:
        self._data = data
        self._samples: dict[Part, Sample] = {}
        self._tokenizers: dict[str, Tokenizer] = {}
        self._readings: dict[tuple[str, Part], Reading] = {}

    def of(self, source: Source, part: Part) -> Reading:
        """A part of the data in the vocabulary of a base.

        Raises:
            ModelError: its tokenizer cannot be used.
        """
        found = self._readings.get((source.digest, part))
        if found is None:
            tokenizer, sample = self.tokenizer(source), self._sample(part)
            try:
                ids, counts = encoded(tokenizer, sample.texts)
            except ModelError as error:
                raise ModelError(f"base {source.name}, on {part}: {error}") from error
            unknown = int(Unread.by(tokenizer).counts(sample.texts, ids, counts)[:, 0].sum())
            readable = not bool(special_tokens(tokenizer)[ids].all())
            found = self._readings[source.digest, part] = Reading(sample, counts, unknown, readable)
        return found

    def tokenizer(self, source: Source) -> Tokenizer:
        """The vocabulary of a base, truncation and padding off.

        Raises:
            ModelError: its file is not a tokenizer.
        """
        if source.digest not in self._tokenizers:
            self._tokenizers[source.digest] = read_tokenizer(source.folder / TOKENIZER)
        return self._tokenizers[source.digest]

    def special(self, source: Source) -> int:
        """Special tokens around every text."""
        return sum(map(len, special_ids(self.tokenizer(source))))

    def parts(self, stage: Stage) -> dict[str, tuple[Part, ...]]:
        """What a stage reads of the data, by the name of the corpus, or of the split."""
        if isinstance(stage, Finetune):
            return {f"task {split}": (Part(split, of_task=True),) for split in SPLITS}
        if not isinstance(stage, Pretrain | Prune):
            return {}
        found: dict[str, tuple[Part, ...]] = {}
        for name in shares(stage.corpus):
            if name != "task" or self._data.task is None:
                found[name] = (Part(name),)
                continue
            unlabeled = ("unlabeled",) if self._data.task.unlabeled is not None else ()
            splits = ("train", *unlabeled, *(stage.include if isinstance(stage, Pretrain) else ()))
            found[name] = tuple(Part(split, of_task=True) for split in splits)
        return found

    def _sample(self, part: Part) -> Sample:
        if part not in self._samples:
            self._samples[part] = self._sampled(part)
        return self._samples[part]

    def _sampled(self, part: Part) -> Sample:
        task = self._data.task
        if not part.of_task or task is None:
            return self._data.corpora[part.name].sample
        if part.name == "unlabeled":
            assert task.unlabeled is not None
            return task.unlabeled.sample
        split: Any = getattr(task, part.name)
        return sample_of(split.texts)

    def refuse_unreadable(self, plan: Plan, todo: Iterable[Node]) -> None:
        """Refuse pretrainings on text of which no token can be masked.

        Raises:
            DataError: there is such a text; all of it was looked at.
        """
        for node in todo:
            source = source_of(node, plan)
            if not isinstance(node.stage, Pretrain) or source is None:
                continue
            for name, parts in self.parts(node.stage).items():
                if any(self.of(source, part).readable for part in parts):
                    continue
                whole = all(self.of(source, part).sample.whole for part in parts)
                if whole or not self._readable(node.stage, name, self.tokenizer(source)):
                    raise DataError(f"base {source.name}: {nothing_to_mask(name)}")

    def _readable(self, stage: Pretrain, name: str, tokenizer: Tokenizer) -> bool:
        # A sample without a known token is no proof: one is looked for to the end.
        documents, special = stage.documents(self._data)[name].documents(), special_tokens(tokenizer)
        while chunk := list(islice(documents, LOOKED_AT_ONCE)):
            if not special[encoded(tokenizer, chunk)[0]].all():
                return True
        return False

    def unknown(self, plan: Plan) -> dict[str, dict[str, float]]:
        """The share of unknown tokens of each text that stages read, by the name of the base whose vocabulary it is."""
        found: dict[str, dict[Part, float]] = {}
        for node in plan.nodes.values():
            source = source_of(node, plan)
            if source is not None:
                shares_of = found.setdefault(source.name, {})
                for part in (part for parts in self.parts(node.stage).values() for part in parts):
                    shares_of[part] = self.of(source, part).unknown_share
        return {name: {str(part): share for part, share in parts.items()} for name, parts in found.items() if parts}

    def notes(self, plan: Plan) -> list[str]:
        """What should be said before anything is trained."""
        told = {name: unknown_words({repr(part): share for part, share in parts.items()}) for name, parts in self.unknown(plan).items()}
        return [f"base {name}: {words}" for name, words in told.items() if words]


def source_of(node: Node, plan: Plan) -> Source | None:
    """The base that a stage's chain starts from, whose vocabulary it speaks; a pruned one knows no other words. None for baselines."""
    chain = (node.stage, *(each.stage for each in plan.ancestors(node.key)))
    start = next((stage for stage in chain if isinstance(stage, Start)), None)
    return None if start is None else plan.sources[start.digest]
