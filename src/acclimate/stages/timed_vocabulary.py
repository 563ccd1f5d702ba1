"""What `prune` and `extend` end with: the model is timed on its own text beside the one that it was made of."""

from collections.abc import Mapping
from dataclasses import replace
from itertools import chain

from acclimate.data.corpus import Corpus
from acclimate.errors import ModelError
from acclimate.evaluation.vocabulary_speed import speeds
from acclimate.modeling.folder import ModelFolder
from acclimate.stages.base import Context, Outcome


def timed(made: Outcome, before: ModelFolder, after: ModelFolder, corpora: Mapping[str, Corpus], context: Context) -> Outcome:
    """The outcome with both speeds on the text of `corpora` among its costs; where the models cannot be timed, a note says why."""
    if not context.runtime.devices.is_main:
        return made
    try:
        found = speeds(before, after, chain.from_iterable(corpus.documents() for corpus in corpora.values()), context.runtime.devices)
    except ModelError as error:
        return replace(made, notes=(*made.notes, f"not timed: {error}"))
    return replace(made, cost=replace(made.cost, characters_per_second=found.after, characters_per_second_before=found.before))
