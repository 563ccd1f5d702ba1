"""Adding a corpus's words to a model's vocabulary: those that the tokenizer breaks become entries of their own."""

import json
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self, cast

from pydantic import Field, PrivateAttr, model_validator

from acclimate.data.mixture import Mixture, in_words, reads_of, shares
from acclimate.data.tokens import special_ids
from acclimate.data.vocabularies.choice import Choice
from acclimate.data.vocabularies.larger import Spelling, check_extensible, enlarged
from acclimate.data.vocabularies.listed import entries_of, read_words
from acclimate.data.vocabularies.mined import Rules
from acclimate.errors import DataError
from acclimate.files import digest_json
from acclimate.modeling.base_files import TOKENIZER, read_tokenizer
from acclimate.modeling.longest import check_length
from acclimate.randomness import generator
from acclimate.stages.base import Context, Outcome, Stage
from acclimate.stages.planned import Reads, Sizes, Work
from acclimate.tasks.task import Task

if TYPE_CHECKING:
    from tokenizers import Tokenizer

    from acclimate.data.corpus import Corpus
    from acclimate.data.tokens import TokenStore
    from acclimate.modeling.folder import ModelFolder

WORDS = 1000  # that are added where nothing is said
SAME_TEXTS = 0.5  # share of a corpus's texts that stand in test, from which on it is the test set
KEPT = 100  # words in the results


class Extend(Stage):
    """Add words that the tokenizer breaks into pieces to the vocabulary, as entries of its model; their rows begin as `init` says."""

    reads_decoders: ClassVar[bool] = True
    stage: Literal["extend"] = "extend"
    corpus: Mixture = "domain"
    """The text whose words are counted: a corpus of `data`, or `task`, the texts of the whole training split and of the task's unlabelled
    files; or several, `{wiki: 1, speeches: 0.25}`, with what each occurrence counts."""
    size: int | None = Field(default=None, gt=0)
    """Words that are added, those first that save most tokens (occurrences x pieces saved); default 1,000. BPE needs entries beside them
    for what it makes by the way."""
    words: str | tuple[str, ...] | None = None
    """The words themselves, or a file with a word a line, in place of those that the corpus would choose."""
    min_count: int = Field(default=5, gt=0)
    """A word is looked at if the corpus has it so often."""
    digits: bool = False
    """Words with digits in them, too."""
    hyphens: bool = False
    """Words joined by hyphens or apostrophes, too, where the tokenizer keeps them together."""
    init: Literal["distil", "mean", "random"] = "distil"
    """How the new rows begin: `mean` of the pieces' rows; `distil`: from there the input rows are learned so that the model's hidden states
    are what they were (Token Distillation, Dobler et al. 2025), `mean` for words without a snippet; `random`, the baseline for both."""
    snippets: int = Field(default=25, gt=0)
    """Of each word, that `distil` reads at most."""
    snippet_tokens: int = Field(default=50, ge=8)
    """Tokens of a snippet, special ones not counted."""
    epochs: float = Field(default=1.0, gt=0, le=100)
    """Passes of `distil` over the snippets."""
    lr: float = Field(default=5e-3, gt=0)
    """Peak learning rate of `distil`; the default was settled by a trial (docs/vocabularies.md)."""
    batch_tokens: int = Field(default=1024, gt=0)
    """Tokens of snippets per optimiser step of `distil`."""
    seeds: Literal["first", "all"] = "first"
    """Draw with the study's first seed, or once per seed (snippets, random rows); nothing is drawn for `mean`."""
    _listed: tuple[str, ...] = PrivateAttr(())

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.words is not None and self.size is not None:
            raise ValueError("give `size` or `words`, not both")
        if self.words is not None and not self.words:
            raise ValueError("`words` names none")
        if not isinstance(self.words, str):
            self._listed = self.words or ()
        return self

    @property
    def most(self) -> int:
        """Words that are added."""
        return self.size or (WORDS if self.words is None else len(self._listed))

    def title(self) -> str:
        return f"{self.word()} by {'given words' if self.words is not None else f'{self.most:,} words of {in_words(self.corpus)}'}"

    def reads(self) -> tuple[str, ...]:
        return reads_of(self.corpus)

    def draws(self) -> bool:
        return self.init != "mean"

    def seeds_apart(self) -> bool:
        return not self.draws() or self.seeds == "all"

    def located(self, root: Path) -> Self:
        if not isinstance(self.words, str):
            return self
        found = self.model_copy()
        found._listed = read_words(root, self.words)
        return found

    def keyed(self) -> dict[str, Any]:
        unread = ("seeds", *(("min_count", "digits", "hyphens") if self.words is not None else ()))
        unread += ("snippets", "snippet_tokens", "epochs", "lr", "batch_tokens") if self.init != "distil" else ()
        settings = {name: value for name, value in super().keyed().items() if name not in unread}
        return settings | {"size": self.most, "words": digest_json(list(self._listed)) if self.words is not None else None}

    def sliver(self) -> Self:
        least = {"size": min(self.most, 2), "min_count": 1} if self.words is None else {}
        few = self.model_copy(update={"snippets": 2, "epochs": 1.0, **least})
        few._listed = self._listed[:2]
        return few

    def check(self, given: Sizes, task: Task | None) -> Sizes:
        assert given.source is not None
        tokenizer = read_tokenizer(given.source.folder / TOKENIZER)
        check_extensible(json.loads(tokenizer.to_str())["model"])
        if self.init == "distil":
            check_length(self.snippet_tokens + sum(map(len, special_ids(tokenizer))), given.config)
        if self.words is not None and self._as_read(given):
            entries_of(tokenizer, Spelling(tokenizer), self._listed)
        return given.of_entries(given.entries + self.most)

    def check_texts(self, given: Sizes, reads: Callable[[], Reads]) -> None:
        read = reads()
        if read.task is not None:
            test = set(read.task.test.documents())
            for name, texts in self._sampled(read).items():
                if name != "task" and texts and sum(text in test for text in texts) >= SAME_TEXTS * len(texts):
                    raise DataError(f"extend: the corpus {name!r} holds the texts of test; what is judged must not choose the words")
        if self.words is None and self._whole(read) and self._as_read(given):
            self._choice(given, read).refuse_fewer(self.most, in_words(self.corpus))

    def notes(self, given: Sizes, reads: Callable[[], Reads]) -> tuple[str, ...]:
        if self.words is not None or not self._as_read(given):
            return ()
        read = reads()
        where = f"{'' if self._whole(read) else 'a sample of '}{in_words(self.corpus)}"
        told = self._choice(given, read).told(self.most, where)
        return (f"new words: {told}",) if told else ()

    def _as_read(self, given: Sizes) -> bool:
        # What a stage before this one makes of the vocabulary is known when it has run.
        assert given.source is not None
        return given.entries == Sizes.of(given.source).entries

    def _sampled(self, read: Reads) -> dict[str, list[str]]:
        return {name: [text for found in read.texts[name] for text in found.sample.texts] for name in shares(self.corpus)}

    def _whole(self, read: Reads) -> bool:
        return all(found.sample.whole for name in shares(self.corpus) for found in read.texts[name])

    def _choice(self, given: Sizes, read: Reads) -> Choice:
        if "choice" not in read.known:
            assert given.source is not None
            least = self.min_count if self._whole(read) else 1  # in a sample rare words are rarer still
            read.known["choice"] = self.choice(read_tokenizer(given.source.folder / TOKENIZER), self._sampled(read), least)
        return cast(Choice, read.known["choice"])

    def choice(self, tokenizer: "Tokenizer", texts: Mapping[str, Iterable[str]], least: int | None = None) -> Choice:
        """What there is to choose from in the texts of its corpora; `least` stands for `min_count`."""
        return Choice(tokenizer, texts, shares(self.corpus), Rules(least or self.min_count, self.digits, self.hyphens))

    def work(self, given: Sizes, reads: Reads) -> Work:
        after = self.check(given, reads.task)
        if self.init != "distil":
            return Work(after.bytes, seconds=1.0)
        there = sum(found.tokens for name in shares(self.corpus) for found in reads.texts[name])
        tokens = round(min(self.most * self.snippets * (self.snippet_tokens + reads.special), there) * self.epochs)
        # Forward in the old pieces; forward, and backward through the body, in the new.
        return Work(after.bytes, tokens=max(1, tokens), operations=6 * given.body * max(1, tokens), seconds=1.0)

    def run(self, parent: "ModelFolder | None", context: Context) -> Outcome:
        from acclimate.evaluation.cost import Cost, disk_bytes
        from acclimate.modeling.grown_vocabulary import grow_vocabulary
        from acclimate.stages.distilled_rows import distil
        from acclimate.stages.timed_vocabulary import timed

        assert parent is not None
        began = time.monotonic()
        tokenizer = parent.tokenizer()
        corpora = {name: context.data.documents(name) for name in shares(self.corpus)}
        words = self._entries(tokenizer, corpora)
        notes = () if len(words) == self.most else (f"{len(words):,} of {self.most:,} words were added: others would make texts longer",)
        if not words:
            raise DataError(f"extend: each word of {in_words(self.corpus)} would make a text of it longer, so none is added")
        place = context.work / "grown" if self.init == "distil" else context.output / "model"
        larger, new = enlarged(tokenizer, words)
        draws = generator(context.seed, "new rows")
        folder = grow_vocabulary(parent, larger, new, "random" if self.init == "random" else "mean", draws, place)
        before, after = ([context.tokens(corpus, of) for corpus in corpora.values()] for of in (parent, folder))
        measured = {
            "words_added": len(words),
            "entries_before": len(tokenizer.get_vocab()),
            "entries_after": len(larger.get_vocab()),
            **_sizes(before, after),
            "words": words[:KEPT],
        }
        if self.init == "distil":
            made = distil(folder, new, list(corpora.values()), self, context, measured)
        else:
            cost = Cost(seconds=time.monotonic() - began, parameters=folder.parameters, disk_bytes=disk_bytes(folder.path))
            made = Outcome(measured, cost)
        return timed(replace(made, notes=(*notes, *made.notes)), parent, folder, corpora, context)

    def _entries(self, tokenizer: "Tokenizer", corpora: "Mapping[str, Corpus]") -> list[str]:
        if self.words is not None:
            return entries_of(tokenizer, Spelling(tokenizer), self._listed)
        choice = self.choice(tokenizer, {name: corpus.documents() for name, corpus in corpora.items()})
        choice.refuse_fewer(self.most, in_words(self.corpus))
        return choice.entries(self.most)


def _sizes(before: "list[TokenStore]", after: "list[TokenStore]") -> dict[str, Any]:
    """Tokens of the corpora in both vocabularies."""
    found: dict[str, Any] = {}
    for when, stores in (("before", before), ("after", after)):
        found[f"corpus_tokens_{when}"] = sum(store.total for store in stores)
        found[f"unknown_tokens_{when}"] = sum(store.unknown for store in stores)
    characters = sum(store.bytes for store in before)
    return found | {f"tokens_per_byte_{when}": found[f"corpus_tokens_{when}"] / max(1, characters) for when in ("before", "after")}
