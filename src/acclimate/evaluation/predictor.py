"""A trained model's folder, ready to label texts: plain baselines and transformers behind one face."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from acclimate.data.ragged import Ragged
from acclimate.errors import SettingsError
from acclimate.evaluation.cloze_predictor import ClozePredictor
from acclimate.evaluation.entities import TagPredictor
from acclimate.evaluation.prompt_predictor import PromptPredictor
from acclimate.evaluation.stated import stated_kind, thresholds_of
from acclimate.evaluation.trained_folder import (
    Model,
    Predictor,
    checked,
    checked_files,
    finite_weights,
    model_config,
    refuse_one_text,
)
from acclimate.evaluation.transformer_predictor import TransformerPredictor
from acclimate.evaluation.unread import Unread
from acclimate.evaluation.vector_predictor import VectorPredictor
from acclimate.evaluation.writing_predictor import WritingPredictor, writes
from acclimate.evaluation.zero_shot_predictor import ZeroShotPredictor, hypotheses_of
from acclimate.modeling.base_files import CONFIG
from acclimate.modeling.baselines.table import BASELINES, load_baseline
from acclimate.modeling.label_prompt import LabelPrompt
from acclimate.modeling.label_words import Cloze
from acclimate.modeling.links import PROBLEMS, ProblemType
from acclimate.modeling.vector_heads import read_head
from acclimate.tasks.kind import Link
from acclimate.tasks.thresholds import Thresholds


def load_predictor(folder: Path | str, max_tokens: int = 8192, baselines: Mapping[str, str] = BASELINES) -> Predictor:
    """A predictor from the folder of a model that a study handed over, a fine-tuning wrote, or transformers saved.

    `load_predictor(Path("best")).probabilities(texts)` is [N, L], a column for each of the predictor's `labels`; of a model that gives
    every word a tag it is [all words, L], and `entities(texts)` are what these make (`TagPredictor`). One that writes has no
    probabilities, but `answers(prompts)` (`WritingPredictor`). Where thresholds were tuned,
    `thresholds` [L] are these: of one label it is `(probabilities / thresholds).argmax(axis=1)`, of several all above them; else None.
    `max_tokens` go through a model at a time; `baselines` are the plain models that are known besides transformers, by the `model_type`
    of their config.json.

    Raises:
        ModelError: there is no trained classifier in the folder, its files are missing or damaged, or its weights are not finite.
    """
    folder = Path(folder)
    config, hypotheses = model_config(folder), hypotheses_of(folder)
    if writes(config):
        return checked_files(folder, lambda: WritingPredictor(folder, max_tokens))
    if hypotheses is not None:
        return checked(folder, lambda: ZeroShotPredictor(folder, max_tokens, hypotheses))
    predictor = checked(folder, lambda: _loaded(folder, max_tokens, load_baseline(folder, config, baselines)))
    kind, thresholds = stated_kind(config), thresholds_of(folder, predictor.labels)
    if kind is not None and kind.every_word:
        return TagPredictor(predictor, thresholds)
    return (PairPredictor if kind is not None and kind.texts() == 2 else ItemPredictor)(predictor, thresholds)


def _loaded(folder: Path, max_tokens: int, baseline: Any) -> Model:
    if baseline is None and (kept := read_head(folder)) is not None:
        return VectorPredictor(folder, max_tokens, *kept)
    if baseline is None:
        config, where = model_config(folder), str(folder / CONFIG)
        if (prompt := LabelPrompt.read(config, where)) is not None:
            return PromptPredictor(folder, max_tokens, prompt)
        cloze = Cloze.read(config, where)
        return TransformerPredictor(folder, max_tokens) if cloze is None else ClozePredictor(folder, max_tokens, cloze)
    answers_itself: bool = hasattr(baseline, "probabilities")
    return baseline if answers_itself else ModulePredictor(folder, baseline, max_tokens)


def problem_of(predictor: Model) -> ProblemType:
    """What the outputs of a predictor mean; plain baselines say so by their `link`, those that are silent give one label."""
    found: ProblemType | None = getattr(predictor, "problem", None)
    return found or PROBLEMS[getattr(predictor, "link", "softmax")]


class _Answering:
    """A model, and how its answers are made."""

    def __init__(self, model: Any, thresholds: Thresholds | None = None) -> None:
        """`model` has `labels`, and `probabilities(texts)` or `probabilities(texts, texts_b)`."""
        self._model = model
        self.thresholds = thresholds

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels, in the order of the columns."""
        return tuple(self._model.labels)

    @property
    def problem(self) -> ProblemType:
        """What its numbers mean."""
        return problem_of(self._model)

    @property
    def unread(self) -> Unread | None:
        """What it cut of the texts that it was asked about so far; None where it reads all of every text."""
        return getattr(self._model, "unread", None)


class ItemPredictor(_Answering):
    """A model of texts, or of what whoever made it did not say."""

    def probabilities(self, *columns: Sequence[str], **words: Ragged) -> NDArray[np.float64]:
        """Probabilities [N, L] of N texts, or whatever the model gives for what it is asked; of a regression its numbers."""
        found: NDArray[np.float64] = self._model.probabilities(*columns, **words)
        return found


class PairPredictor(_Answering):
    """A model that answers pairs."""

    def probabilities(self, texts: Sequence[str], texts_b: Sequence[str] | None = None) -> NDArray[np.float64]:
        """Probabilities [N, L] of the pairs of N first and N second texts; of a regression its numbers.

        Raises:
            SettingsError: there are no second texts, or not as many as first ones.
            TypeError: one text stands in the place of several.
        """
        if texts_b is None:
            raise SettingsError("this model answers pairs, and was given single texts: say probabilities(texts, texts_b)")
        refuse_one_text(texts, texts_b)
        if len(texts) != len(texts_b):
            raise SettingsError(f"a pair has two texts, and these are {len(texts):,} first and {len(texts_b):,} second ones")
        found: NDArray[np.float64] = self._model.probabilities(texts, texts_b)
        return found


class ModulePredictor:
    """A plain baseline that is a torch module over flat batches."""

    def __init__(self, folder: Path, model: Any, max_tokens: int) -> None:
        from acclimate.training.devices import Devices

        self._devices = Devices()
        self._model = model.to(self._devices.device)
        finite_weights(folder, self._model)
        self._max_tokens = max_tokens
        self.unread = Unread(model.config.max_length, "words")

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels, in the order of the columns."""
        return tuple(self._model.labels)

    @property
    def link(self) -> Link:
        """What its numbers mean."""
        found: Link = getattr(self._model, "link", "softmax")
        return found

    def probabilities(self, texts: Sequence[str]) -> NDArray[np.float64]:
        """Probabilities [N, L]; texts are cut to the words that the model was trained with."""
        from acclimate.evaluation.inference import LINKS, class_probabilities

        sequences = self._model.sequences(texts)
        self.unread.add(sequences)
        return class_probabilities(self._model, sequences, len(self.labels), self._max_tokens, self._devices, LINKS[self.link])
