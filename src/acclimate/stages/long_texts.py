"""What a stage does with texts that are longer than its window: cuts them, reads them whole in windows, or refuses them. No torch."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from acclimate.data.ragged import offsets_of
from acclimate.data.sequences import Sequences
from acclimate.data.windows import overlapping, usual_stride
from acclimate.errors import DataError, SettingsError
from acclimate.evaluation.pooling import Pool
from acclimate.stages.planned import Reads
from acclimate.tasks.kind import Form, TaskKind, many

Long = Literal["windows", "cut", "error"]
NOTED = 0.01  # share of the tokens that are cut from which on it is said
WHOLE = "`long: windows` reads texts whole"
LESS = "a larger `max_length` cuts less"
Lengths = NDArray[np.float64]


@dataclass(frozen=True)
class LongTexts:
    """The settings of one stage, on one kind of task."""

    kind: TaskKind
    form: Form
    length: int
    """Tokens of a window, special ones included."""
    said: Long | None
    stride: int | None
    pool: Pool | None
    template: bool = False
    """Whether texts stand in a template that asks for a word."""
    settled: bool = False
    """Whether a model that has learned decides it, and no `long` is there to be said."""

    @property
    def way(self) -> Long:
        """What is done: what was said, or windows where every word is answered, and else cut."""
        return self.said or ("windows" if self.form == "tokens" else "cut")

    @property
    def pooled(self) -> bool:
        """Whether one answer is made of those of several windows."""
        return self.form == "sequence" and self.way == "windows"

    @property
    def overlap(self) -> int | None:
        """By how many tokens windows overlap; None where texts are cut. Where every word is answered, a text is never cut."""
        if self.form == "tokens" or self.way == "windows":
            return usual_stride(self.length) if self.stride is None else self.stride
        return None

    def check(self) -> None:
        """Refuse what makes no sense.

        Raises:
            SettingsError: the first such setting, and what to say instead.
        """
        name = self.kind.kind
        if self.form == "tokens" and self.way == "cut":
            raise SettingsError(
                f"long: {name} answers every word, and what is cut would have no answer; leave `long` out (windows), or say `error`"
            )
        if self.pooled and self.template:
            raise SettingsError(
                "long: in a template (`head: mlm`) a text stands once, before one mask; it is cut where it is too long, or leave `head` out"
            )
        if self.pooled and self.kind.texts() > 1:
            raise SettingsError(
                f"long: windows are of one text, and an item of {name} has {self.kind.texts()}: which parts belong together is not known; "
                "raise `max_length`, or leave `long` out (the longer text is cut first)"
            )
        if self.pool is not None and not self.pooled:
            words = self.form == "tokens"
            why = "answers every word, by one window each" if words else "has windows to be pooled with `long: windows` alone"
            raise SettingsError(f"pool: {name} {why}; leave `pool` out")
        if self.stride is None:
            return
        if self.form != "tokens" and self.way != "windows":
            raise SettingsError(
                f"stride: {name} has one answer a text, not one a word, and long texts are cut where nothing else is said: say "
                "`long: windows`, or leave `stride` out"
            )
        if self.stride + 2 >= self.length:  # as many special tokens are usual
            raise SettingsError(
                f"stride: windows of {self.length} tokens cannot overlap by {self.stride} — lower stride, or raise max_length"
            )

    def sequences(self, texts: Lengths, special: int) -> NDArray[np.floating[Any] | np.integer]:
        """[S] tokens of each sequence that the model reads, from those [N] of the texts."""
        if self.overlap is None:
            return np.minimum(texts + special, self.length)
        offsets = offsets_of(texts.astype(np.int64))
        return overlapping(offsets, self.length - special, self.overlap, spread=self.form == "tokens").windows.length + special

    def notes(self, reads: Reads, special: int) -> tuple[str, ...]:
        """What the plan says of texts that are cut, roughly."""
        if self.overlap is not None:
            return ()
        cut = {}
        for split, texts in lengths(reads).items():
            beyond = np.maximum(texts + special - self.length, 0).sum()
            cut[split] = float(beyond / max(1.0, texts.sum()))
        return told_of_cut(cut, many(self.kind.item), f"{self.length:,} tokens", self._remedy)

    def refuse(self, reads: Reads, special: int) -> None:
        """Refuse texts that are longer than a window, where that was asked for.

        Raises:
            DataError: there are some: how many of each split, and how long the longest is.
        """
        found = {split: texts + special for split, texts in lengths(reads).items()}
        beyond = {split: int((texts > self.length).sum()) for split, texts in found.items()}
        if not any(beyond.values()):
            return
        items, longest = many(self.kind.item), max(int(texts.max(initial=0)) for texts in found.values())
        told = ", ".join(f"{count:,} of {len(found[split]):,} in {split}" for split, count in beyond.items() if count)
        mend = "`long: windows` reads them whole" if self.form == "tokens" else f"{self._remedy}, `long: cut` cuts them"
        raise DataError(
            f"long: error, and {items} are longer than the {self.length:,} tokens of a window: {told}; the longest has {longest:,} — {mend}"
        )

    def refuse_cut(self, texts: Mapping[str, Sequences]) -> None:
        """The same of texts as they are read: a vocabulary that was cut makes more tokens of them than the base's.

        Raises:
            DataError: some are longer than a window.
        """
        for split, read in texts.items():
            if read.cut_tokens or read.several:
                raise DataError(f"long: error, and of the {split} {many(self.kind.item)} some are longer than {self.length:,} tokens")

    def told(self, texts: Mapping[str, Sequences]) -> list[str]:
        """What was read of each split in windows, or cut."""
        found = [told for name, read in texts.items() if (told := read.told(name))]
        cut = {name: read.cut_tokens / max(1, read.tokens) for name, read in texts.items()}
        return [*found, *told_of_cut(cut, many(self.kind.item), f"{self.length:,} tokens", self._remedy)]

    @property
    def _remedy(self) -> str:
        return LESS if self.kind.texts() > 1 or self.template or self.settled else f"{WHOLE}, {LESS}"


def told_of_cut(cut: Mapping[str, float], items: str, length: str, remedy: str = LESS) -> tuple[str, ...]:
    """What should be said of `cut`, the share of each split that is not read; nothing where that is little. `length`: `128 tokens`."""
    if max(cut.values(), default=0.0) <= NOTED:
        return ()
    shares = ", ".join(f"{100 * share:.1f} % in {split}" for split, share in cut.items())
    return (f"{items} longer than {length} are cut: of all {length.split()[-1]} {shares} are not read — {remedy}",)


def lengths(reads: Reads) -> dict[str, Lengths]:
    """[N] tokens of each item of each split that a stage reads, without special ones."""
    assert reads.task is not None
    return {
        split: np.array(list(reads.texts[f"task {split}"][0].lengths_together(items.inputs)), dtype=np.float64)
        for split, items in reads.task.splits.items()
        if f"task {split}" in reads.texts
    }
