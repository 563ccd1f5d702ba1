"""The verb `prune`: the stage on its own, and how fast the model trains before and after."""

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from acclimate.data.corpus import Corpus, CorpusSettings
from acclimate.errors import ModelError
from acclimate.study.run import Options
from acclimate.study.single import Made, run_stage

if TYPE_CHECKING:
    from acclimate.data.batches import Batch
    from acclimate.modeling.folder import ModelFolder

SPEED_CHARACTERS = 8000  # of the corpus are enough to time a model by: about 2,000 tokens
SPEED_DOCUMENTS = 64
SPEED_LENGTH = 128  # tokens a window


@dataclass(frozen=True)
class Speed:
    """Characters per second in masked-language-model training (forward and backward passes) on the same text."""

    characters: int
    before: float
    after: float


def prune(base: str, settings: dict[str, Any], corpus: dict[str, Any], options: Options) -> tuple[Made, Speed | None]:
    """Cut the vocabulary of `base` to that of `corpus`, put the model into `options.out`, and time both.

    A model without a mask token, or one that is no longer in the store, is not timed, and that is said.

    Raises:
        SettingsError: the vocabulary cannot be cut to this size.
        TrainingError: the stage failed.
        Interrupted: a stop was asked for; the same call continues.
    """
    made = run_stage(base, "prune", settings, {"domain": corpus}, 0, options)
    if made.parent is None:
        options.say("not timed: the base's copy is no longer in the store")
        return made, None
    try:
        return made, speed(made.parent, options.out, Corpus.open("domain", CorpusSettings(**corpus), Path.cwd()), options.threads)
    except ModelError as error:
        options.say(f"not timed: {error}")
        return made, None


def speed(before: Path, after: Path, corpus: Corpus, threads: int | None = None) -> Speed:
    """How fast two model folders with different vocabularies train on the beginnings of a corpus's first documents.

    Characters are counted, not tokens: a smaller vocabulary may need more of these for the same text.

    Raises:
        ModelError: a model has no mask token.
    """
    from acclimate.evaluation.speed import training_seconds
    from acclimate.modeling.execution import Packed
    from acclimate.modeling.folder import ModelFolder
    from acclimate.modeling.heads import load_mlm
    from acclimate.training.devices import Devices

    devices = Devices(threads=threads)
    texts = tuple(_beginnings(corpus))
    characters = sum(map(len, texts))
    models, batches = {}, {}
    for name, path in (("before", before), ("after", after)):
        folder = ModelFolder(path)
        models[name] = Packed(load_mlm(folder, seed=0)[0]).to(devices.device)
        batches[name] = _batches(texts, folder)
    seconds = training_seconds(models, batches, devices)
    return Speed(characters, characters / seconds["before"], characters / seconds["after"])


def _beginnings(corpus: Corpus) -> Iterator[str]:
    left = SPEED_CHARACTERS
    for text in islice(corpus.documents(), SPEED_DOCUMENTS):
        if left <= 0:
            return
        yield text[:left]
        left -= len(text)


def _batches(texts: tuple[str, ...], folder: "ModelFolder") -> "list[Batch]":
    from acclimate.data.tokens import TokenStore
    from acclimate.data.windows import sliding
    from acclimate.modeling.longest import sequence_length
    from acclimate.objectives.mlm import Vocabulary, heldout_batches

    words = Vocabulary.of(folder.tokenizer(), whole_word=False)
    with tempfile.TemporaryDirectory() as temporary:
        store = TokenStore.build(Path(temporary) / "store", iter(texts), folder.tokenizer(), "")
        length = min(sequence_length(None, folder), SPEED_LENGTH)
        windows = sliding(store, length - len(words.prefix) - len(words.suffix))
        return heldout_batches(store, windows, words, 1 << 20)
