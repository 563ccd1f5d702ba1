"""Cutting a model's vocabulary down to the entries that a corpus uses: fewer embeddings, and a smaller prediction head."""

import time
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
from pydantic import Field

from acclimate.data.mixture import Mixture, in_words, reads_of, shares
from acclimate.data.ragged import IntArray
from acclimate.data.unknown import unknown_words
from acclimate.data.vocabularies.smaller import necessary
from acclimate.errors import SettingsError
from acclimate.modeling.base_files import TOKENIZER, read_tokenizer
from acclimate.stages.base import Context, Outcome, Stage
from acclimate.stages.planned import Sizes
from acclimate.tasks.task import Task

if TYPE_CHECKING:
    from acclimate.modeling.folder import ModelFolder


class Prune(Stage):
    """Cut the vocabulary down to the entries that a corpus uses; nothing is trained."""

    reads_decoders: ClassVar[bool] = True
    stage: Literal["prune"] = "prune"
    corpus: Mixture = "domain"
    """The text whose entries are counted: a corpus of `data`, or `task`, the texts of the whole training split and of the task's unlabelled
    files; or several, `{wiki: 1, speeches: 0.25}`, with what each occurrence counts."""
    size: int = Field(default=16_384, gt=0)
    """Entries that are kept at most: special tokens and single characters always, then the most frequent ones, never one that the corpus
    does not use. What BPE merges an entry from counts, too."""

    def title(self) -> str:
        return f"{self.word()} on {in_words(self.corpus)}"

    def reads(self) -> tuple[str, ...]:
        return reads_of(self.corpus)

    # Seeds stay apart: where nothing was drawn before it the keys of all seeds are one, and so is the computation; and a pretraining before
    # it that runs once per seed is not made to run once.

    def draws(self) -> bool:
        return False

    def check(self, given: Sizes, task: Task | None) -> Sizes:
        assert given.source is not None
        least = len(necessary(read_tokenizer(given.source.folder / TOKENIZER)))
        if self.size < least:
            raise SettingsError(f"size: {self.size:,} entries are too few: {least:,} always stay")
        if self.size >= given.entries:
            rows = f"there are {given.entries:,} by then; choose a smaller size"
            raise SettingsError(f"size: {self.size:,} entries were asked for, and {rows}")
        return given.of_entries(self.size)

    def run(self, parent: "ModelFolder | None", context: Context) -> Outcome:
        from acclimate.data.vocabularies import smaller as entries
        from acclimate.evaluation.cost import Cost, disk_bytes
        from acclimate.modeling.cut_vocabulary import cut_vocabulary, named_ids
        from acclimate.stages.timed_vocabulary import timed

        assert parent is not None
        began = time.monotonic()
        tokenizer = parent.tokenizer()
        stay = entries.necessary(tokenizer, named_ids(parent))
        entries.check_size(tokenizer, stay, self.size)  # before the corpus is read
        corpora = {name: context.data.documents(name) for name in shares(self.corpus)}
        rows = max(tokenizer.get_vocab().values()) + 1
        before = [context.tokens(corpus, parent) for corpus in corpora.values()]
        by_corpus = {name: entries.count_entries(store, rows) for name, store in zip(corpora, before, strict=True)}
        counts: IntArray = np.sum(list(by_corpus.values()), axis=0)
        weighed = np.sum([share * by_corpus[name] for name, share in shares(self.corpus).items()], axis=0)
        kept = entries.chosen(tokenizer, weighed, stay, self.size)
        smaller = entries.reduced(tokenizer, kept)
        folder = cut_vocabulary(parent, kept, smaller, context.output / "model")
        after = [context.tokens(corpus, folder) for corpus in corpora.values()]
        lost = int(counts.sum() - counts[kept].sum())
        metrics: dict[str, Any] = {
            "entries_before": entries.entries(tokenizer),
            "entries_after": len(kept),
            "parameters_before": parent.parameters,
            "parameters_after": folder.parameters,
            "disk_bytes_before": disk_bytes(parent.path),
            "disk_bytes_after": disk_bytes(folder.path),
            "corpus_tokens_before": int(counts.sum()),
            "corpus_tokens_after": sum(store.total for store in after),
            "lost_token_share": lost / max(int(counts.sum()), 1),
            "unknown_tokens_before": sum(store.unknown for store in before),
            "unknown_tokens_after": sum(store.unknown for store in after),
        }
        share = metrics["unknown_tokens_after"] / max(metrics["corpus_tokens_after"], 1)
        metrics["unknown_share"] = share
        told = unknown_words({repr(in_words(self.corpus)): share})
        cost = Cost(seconds=time.monotonic() - began, parameters=metrics["parameters_after"], disk_bytes=metrics["disk_bytes_after"])
        return timed(Outcome(metrics, cost, (told,) if told else ()), parent, folder, corpora, context)
