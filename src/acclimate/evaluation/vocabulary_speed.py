"""How fast a model is on the same text before and after its vocabulary was changed: fewer tokens are what there is to gain."""

import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from acclimate.data.batches import Batch
from acclimate.data.tokens import TokenStore
from acclimate.data.windows import sliding
from acclimate.evaluation.speed import training_seconds
from acclimate.modeling.execution import Packed
from acclimate.modeling.folder import ModelFolder
from acclimate.modeling.heads import load_mlm
from acclimate.modeling.longest import sequence_length
from acclimate.objectives.mlm import Vocabulary, heldout_batches
from acclimate.training.devices import Devices

CHARACTERS = 4000  # of the text are enough to time a model by: about 1,000 tokens
DOCUMENTS = 64
LENGTH = 128  # tokens a window


@dataclass(frozen=True)
class Speeds:
    """Characters per second in masked-language-model training (forward and backward passes) of the whole model on the same text."""

    before: float
    after: float


def speeds(before: ModelFolder, after: ModelFolder, documents: Iterable[str], devices: Devices) -> Speeds:
    """How fast two models with different vocabularies are on the beginnings of the first documents; they take turns.

    Characters are counted, not tokens: another vocabulary needs more or fewer of these for the same text.

    Raises:
        ModelError: a model has no mask token.
    """
    texts = tuple(_beginnings(documents))
    models, batches = {}, {}
    for name, folder in (("before", before), ("after", after)):
        models[name] = Packed(load_mlm(folder, seed=0)[0]).to(devices.device)
        batches[name] = _batches(texts, folder)
    seconds = training_seconds(models, batches, devices)
    characters = sum(map(len, texts))
    return Speeds(characters / seconds["before"], characters / seconds["after"])


def _beginnings(documents: Iterable[str]) -> Iterator[str]:
    left = CHARACTERS
    for text in islice(documents, DOCUMENTS):
        if left <= 0:
            return
        yield text[:left]
        left -= len(text)


def _batches(texts: tuple[str, ...], folder: ModelFolder) -> list[Batch]:
    words = Vocabulary.of(folder.tokenizer(), whole_word=False)
    with tempfile.TemporaryDirectory() as temporary:
        store = TokenStore.build(Path(temporary) / "store", iter(texts), folder.tokenizer(), "")
        length = min(sequence_length(None, folder), LENGTH)
        windows = sliding(store, length - len(words.prefix) - len(words.suffix))
        return heldout_batches(store, windows, words, 1 << 20)
