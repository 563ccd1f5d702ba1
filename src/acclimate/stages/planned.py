"""What a plan tells a stage and asks of it before anything is spent: sizes of a model, the texts it reads, the work they come to."""

from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, NamedTuple, Self

from acclimate.data.sample import Measured, Sample
from acclimate.errors import SettingsError
from acclimate.files import digest_json
from acclimate.modeling.base_dtype import half_of
from acclimate.modeling.base_files import NEW_FROM, TOKENIZER, has_tensors, read_tokenizer
from acclimate.modeling.families import Family, dimensions_of, family_of
from acclimate.modeling.fast_paths import FastPaths
from acclimate.modeling.longest import LONGEST_DEFAULT, check_length, longest
from acclimate.modeling.source import Source
from acclimate.tasks.kind import Form, Link
from acclimate.tasks.task import Task

BYTES = 4  # of a weight


class Classifier(NamedTuple):
    """What the trained classifier, or tagger, of a model gives, as far as is known before it is trained."""

    names: tuple[str, ...]
    """Of its outputs, in their order."""
    texts: int | None
    """How many columns of text an item has; None where that is not known, as of a base's."""
    length: int | None = None
    """Tokens of the longest sequence that it learned from; None where that is not known."""
    form: Form = "sequence"
    link: Link = "softmax"
    whole: bool = False
    """It reads a longer text whole, in windows, and gives one answer."""


@dataclass(frozen=True)
class Sizes:
    """The model that a stage begins with, as far as its base's configuration and the stages before it tell."""

    source: Source | None = None
    """What the chain starts from; None for plain baselines, which start from nothing."""
    config: dict[str, Any] = field(default_factory=dict)
    body: int = 0
    """Parameters that every token goes through: embeddings are looked up, not multiplied."""
    embeddings: int = 0
    pretrained: bool = False
    """A stage before this one made it a masked language model, if only one of random weights."""
    classifier: Classifier | None = None
    """That a stage before this one trained, or the base brought, and nothing changed since."""
    trained: bool = False
    """A stage before this one may have changed weights, or drew them."""
    heldout: Mapping[str, Hashable] = field(default_factory=dict)
    """How much of each corpus the pretrainings before held out, by its name."""
    beside: "Mapping[str, Sizes]" = field(default_factory=dict)
    """The models of other recipes that a stage needs besides its own, by recipe."""

    @classmethod
    def of(cls, source: Source) -> Self:
        """Those of a base as it is."""
        config = source.config
        size = dimensions_of(config)
        embeddings = size.vocabulary * size.embedding
        return cls(source, config, source.parameters - embeddings, embeddings)

    @property
    def family(self) -> Family:
        """What is known of its architecture."""
        return family_of(self.config)

    @property
    def layers(self) -> int:
        """How many there are."""
        return dimensions_of(self.config).layers

    @property
    def hidden(self) -> int:
        """Width of a token's vector, D."""
        return dimensions_of(self.config).width

    @property
    def heads(self) -> int:
        """Of attention, in each layer."""
        return dimensions_of(self.config).heads

    @property
    def entries(self) -> int:
        """Of the vocabulary."""
        return dimensions_of(self.config).vocabulary

    @cached_property
    def vocabulary(self) -> str | None:
        """The digest of its entries with their ids; None where a stage has changed those that its source had."""
        if self.source is None or self.entries != dimensions_of(self.source.config).vocabulary or NEW_FROM in self.config:
            return None
        return digest_json(sorted(read_tokenizer(self.source.folder / TOKENIZER).get_vocab(with_added_tokens=True).items()))

    @property
    def bytes(self) -> int:
        """Of its weights in float32, as they are trained."""
        return BYTES * (self.body + self.embeddings)

    @property
    def disk_bytes(self) -> int:
        """Of its weights in a folder, where those of a decoder stay in half precision for as long as nothing changes them."""
        if self.trained or self.source is None or self.source.shape is not None or not self.family.decoder:
            return self.bytes
        return self.bytes if half_of(self.source.files) is None else self.bytes // 2

    @property
    def tied_head(self) -> bool:
        """Whether its head for words is the embeddings once more, and not among the weights of its body."""
        made = self.source is None or self.source.shape is not None
        return made or not has_tensors(self.source.name, self.source.folder, self.family.mlm_head)  # type: ignore[union-attr]

    @property
    def fresh_head(self) -> bool:
        """Whether it has no head for masked language modelling yet; a decoder that has none for its words is no base."""
        if self.pretrained or self.source is None or self.family.decoder:
            return False
        return not has_tensors(self.source.name, self.source.folder, self.family.mlm_head)

    def of_layers(self, kept: int) -> Self:
        """With so many of its layers."""
        config = self.family.with_layers(self.config, kept)
        return replace(self, body=round(self.body * kept / self.layers), config=config, classifier=None)

    def of_entries(self, count: int) -> Self:
        """With so many entries in its vocabulary; those beyond what it has are new."""
        config = {name: value for name, value in self.config.items() if name != NEW_FROM} | {"vocab_size": count}
        new = {NEW_FROM: self.config.get(NEW_FROM, self.entries)} if count > self.entries else {}
        return replace(self, embeddings=self.embeddings * count // self.entries, config=config | new)

    def length(self, asked: int | None) -> int:
        """Tokens a sequence may have: what a stage asks for, or else the model's limit, at most 512."""
        return asked or min(longest(self.config), LONGEST_DEFAULT)

    def classifier_length(self, asked: int | None) -> int:
        """Tokens of a sequence that its classifier is asked about: what a stage asks for, what it learned with, or as `length`."""
        return asked or (self.classifier.length if self.classifier is not None else None) or self.length(None)

    def check_training(self, max_length: int | None, checkpointing: bool) -> None:
        """Refuse what this architecture cannot do.

        Raises:
            SettingsError: sequences longer than its positions, or activations computed again where transformers cannot.
        """
        check_length(max_length, self.config)
        if checkpointing and not self.family.checkpointing:
            raise SettingsError(
                f"gradient_checkpointing: {self.family.model_type} cannot do it; lower max_length or --micro-tokens instead"
            )


@dataclass(frozen=True)
class Reads:
    """What of the data a stage reads, in the vocabulary that it begins with; measured on samples."""

    texts: Mapping[str, tuple[Measured, ...]]
    """By the name of the corpus, and `task train`, `task dev`, `task test` where it reads labels; empty for plain baselines."""
    special: int
    """Special tokens around every text; around and between those of a pair where the stage reads pairs."""
    task: Task | None
    """At the stage's label budget."""
    fast: FastPaths
    parent: str | None
    """Key of the stage before it."""
    fingerprints: tuple[str, ...]
    """Of what it reads."""
    samples: Mapping[str, tuple[Sample, ...]] = field(default_factory=dict, repr=False, compare=False)
    """The texts themselves under the names of `texts`, for plain baselines, which have no vocabulary in which they could be measured."""
    known: dict[str, Any] = field(default_factory=dict, repr=False, compare=False)
    """What the stage found out from it, under names of its own: it is asked more than once, and finds it here the next time."""
    beside: tuple[str, ...] = ()
    """Keys of the other models that it needs, in the order of its own `beside`; of an ensemble those of the other seeds come last."""


@dataclass(frozen=True)
class Work:
    """What a stage takes, roughly. Training may end earlier than planned (`patience`), never later."""

    disk_bytes: int
    """Of the model that it makes."""
    tokens: int = 0
    """That it trains on."""
    operations: float = 0.0
    """Floating-point operations."""
    seconds: float = 0.0
    """That go by whatever the machine, where operations tell nothing."""
    cache_bytes: int = 0
    """Of the tokens of corpora, or of what frozen layers give."""
    cache_key: Hashable = None
    """Stages with the same key share that."""
