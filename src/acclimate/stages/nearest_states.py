"""The documents whose mean hidden states are nearest to those of some texts (k nearest neighbours; Gururangan et al. 2020, section 5).

The paper's vectors are those of VAMPIRE, a small model of bags of words; here they are the base's own, compared by cosine. They take
time, so each chunk's are kept (float16) while the stage is under way: where it was stopped it goes on, and looking for more neighbours
reads them again.
"""

import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from acclimate.data.ragged import IntArray
from acclimate.data.selection.candidates import Candidates
from acclimate.data.selection.ranked import Budget, Choice, Nearest, Size, nearest_of_each
from acclimate.errors import Interrupted
from acclimate.files import atomic_file
from acclimate.stages.base import Context

if TYPE_CHECKING:
    from acclimate.modeling.folder import ModelFolder

TEXTS_AT_ONCE = 64  # whose products with a chunk of documents are held


def choose(parent: "ModelFolder", texts: Sequence[str], candidates: Candidates, budget: Budget, context: Context) -> Choice:
    """The nearest document of every text, then the second nearest, ...: a pass to count documents, and one for their hidden states.

    Raises:
        Interrupted: a stop was asked for; what was computed is kept.
    """
    chunks = [(chunk.numbers, chunk.words().lengths) for chunk in candidates.chunks()]
    size = Size(sum(len(numbers) for numbers, _ in chunks), sum(int(tokens.sum()) for _, tokens in chunks))
    states = States(parent, context, len(texts) + size.documents)
    like_QD = states.of("like", texts).astype(np.float32)
    for place, chunk in enumerate(candidates.chunks()):
        states.of(str(place), chunk.texts)
    context.runtime.reporter.close()

    def see(nearest: Nearest) -> None:
        for place, (numbers, tokens) in enumerate(chunks):
            if len(numbers):
                add(nearest, like_QD, states.kept(str(place)), numbers, tokens)

    return nearest_of_each(len(texts), size, budget, see)


def add(nearest: Nearest, like_QD: NDArray[np.float32], states_ND: NDArray[np.float16], numbers: IntArray, tokens: IntArray) -> None:
    """Show documents to lists of the nearest, by the products of their unit vectors with those of the texts."""
    documents_DN = states_ND.astype(np.float32).T
    for first in range(0, len(like_QD), TEXTS_AT_ONCE):
        nearest.add(first, like_QD[first : first + TEXTS_AT_ONCE] @ documents_DN, numbers, tokens)


class States:
    """Mean hidden states of chunks of texts, each computed once and kept in the stage's work folder."""

    def __init__(self, parent: "ModelFolder", context: Context, texts: int) -> None:
        from acclimate.modeling.execution import Packed
        from acclimate.modeling.heads import load_mlm
        from acclimate.modeling.longest import sequence_length
        from acclimate.stages.trainer import own_forward_tokens
        from acclimate.training.remembered import noted

        model, _ = load_mlm(parent, 0)  # whose head is not asked
        self._context, self._tokenizer, self._longest = context, parent.tokenizer(), sequence_length(None, parent)
        # What goes on after a stop goes on with the same; one process chooses for all.
        self._micro = int(noted(context.work / "micro.json", lambda: own_forward_tokens(context, model)))
        self._model = Packed(model, context.runtime.fast).to(context.runtime.devices.device)
        self._every, self._done, self._tokens, self._began = texts, 0, 0, time.monotonic()
        context.runtime.reporter.start(f"{context.title}: hidden states", texts, 0)

    def of(self, name: str, texts: Sequence[str]) -> NDArray[np.float16]:
        """[N, D] those of the chunk of this name.

        Raises:
            Interrupted: a stop was asked for.
        """
        from acclimate.evaluation.mean_states import mean_states

        if not self._path(name).exists():
            devices = self._context.runtime.devices
            states_ND = mean_states(self._model, self._tokenizer, texts, self._longest, self._micro, devices, self._told)
            with atomic_file(self._path(name)) as path, path.open("wb") as file:
                np.save(file, states_ND, allow_pickle=False)
        else:
            self._done += len(texts)
        return self.kept(name)

    def kept(self, name: str) -> NDArray[np.float16]:
        """[N, D] what `of` computed."""
        found: NDArray[np.float16] = np.load(self._path(name), allow_pickle=False)
        return found

    def _told(self, texts: int, tokens: int) -> None:
        self._done, self._tokens = self._done + texts, self._tokens + tokens
        self._context.runtime.reporter.step(self._done, self._tokens / max(time.monotonic() - self._began, 1e-9), None)
        if self._context.runtime.stop.asked:
            raise Interrupted(f"{self._context.title}: stopped; the hidden states that it has are kept")

    def _path(self, name: str) -> Path:
        return self._context.work / f"states-{name}.npy"
