"""The verbs `prune` and `extend`: the stage on its own, and how fast the model trains before and after; which words there are to add."""

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from acclimate.data.corpus import Corpus, CorpusSettings
from acclimate.data.vocabularies.choice import Choice
from acclimate.errors import ModelError, SettingsError
from acclimate.modeling.base_files import TOKENIZER, read_tokenizer
from acclimate.modeling.source import resolve_base
from acclimate.study.language.language import BUILT_IN
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


def change_vocabulary(
    base: str, stage: Literal["prune", "extend"], settings: dict[str, Any], corpus: dict[str, Any], options: Options, seed: int = 0
) -> tuple[Made, Speed | None]:
    """Cut the vocabulary of `base` to that of `corpus`, or extend it by its words, put the model into `options.out`, and time both.

    A model without a mask token, or one that is no longer in the store, is not timed, and that is said.

    Raises:
        SettingsError: the vocabulary cannot be changed like this.
        TrainingError: the stage failed.
        Interrupted: a stop was asked for; the same call continues.
    """
    made = run_stage(base, stage, settings, {"domain": corpus}, seed, options)
    if made.parent is None:
        options.say("not timed: the base's copy is no longer in the store")
        return made, None
    try:
        return made, speed(made.parent, options.out, Corpus.open("domain", CorpusSettings(**corpus), Path.cwd()), options.threads)
    except ModelError as error:
        options.say(f"not timed: {error}")
        return made, None


def words_to_add(base: str, settings: dict[str, Any], corpus: dict[str, Any]) -> tuple[Choice, int]:
    """(the words of `corpus` that could become entries of the vocabulary of `base`, how many `extend` would take); nothing is written.

    Raises:
        SettingsError: a setting that the stage does not have, or words that are given already.
        ModelError: the vocabulary cannot be extended.
    """
    recipes = {"extend": [{"extend": settings}]}
    stage: Any = BUILT_IN.parse({"base": base, "data": {"domain": corpus}, "recipes": recipes}).recipes["extend"].stages[0]
    if stage.words is not None:
        raise SettingsError("words: these are given, so there is nothing to choose from; leave --show out")
    if stage.corpus != "domain":
        raise SettingsError("corpus: the words of the files that are named are shown; leave it out")
    source = resolve_base(base, Path.cwd())
    opened = Corpus.open("domain", CorpusSettings(**corpus), Path.cwd())
    return stage.choice(read_tokenizer(source.folder / TOKENIZER), {"domain": opened.documents()}), stage.most


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
