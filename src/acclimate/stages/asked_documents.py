"""How stages ask a language model for every word of documents, and what they say of that before anything is spent."""

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from acclimate.data.masking import GROUPS
from acclimate.data.sample import Measured
from acclimate.stages.base import Context
from acclimate.stages.planned import Sizes

if TYPE_CHECKING:
    from acclimate.modeling.folder import ModelFolder

Ask = Callable[[Sequence[str], str], NDArray[np.float64]]
"""From documents [N], and what they are called while they are read, to the sums of each [N, 5] (`document_sums`)."""


def asking(folder: "ModelFolder", context: Context, max_length: int | None) -> tuple[Ask, int]:
    """The model of a folder, ready to be asked, and the tokens of a forward pass; the folder has a head for words."""
    from acclimate.evaluation.document_scores import document_sums
    from acclimate.modeling.execution import Packed
    from acclimate.modeling.heads import load_mlm
    from acclimate.modeling.longest import sequence_length
    from acclimate.objectives.clm import Borders, NextTokens
    from acclimate.stages.trainer import forward_tokens
    from acclimate.stages.watched import watched

    model, fresh = load_mlm(folder, context.seed)
    assert not fresh, "the plan asks no model without a head"
    length, devices = sequence_length(max_length, folder), context.runtime.devices
    micro = forward_tokens(context, model, 1 / GROUPS)
    packed = Packed(model, context.runtime.fast).to(devices.device)
    borders = Borders.of(folder) if packed.family.decoder else None
    asked = packed if borders is None else NextTokens(packed)

    def ask(documents: Sequence[str], what: str) -> NDArray[np.float64]:
        sums = document_sums(asked, documents, folder.tokenizer(), length, micro, devices, watched(context, what, micro), borders)
        context.runtime.reporter.close()
        return sums

    return ask, micro


def operations(given: Sizes, measured: Measured, documents: Iterable[str], special: int, max_length: int | None) -> float:
    """Of asking a model for every word of these documents: forward alone, and the vocabulary where something is masked."""
    room = given.length(max_length) - special
    tokens = sum(length + special * max(1.0, -(-length // room)) for length in measured.lengths(documents))
    # A decoder is asked for all of them in one pass.
    return 2 * tokens * ((1 if given.family.decoder else GROUPS) * given.body + given.entries * given.hidden)
