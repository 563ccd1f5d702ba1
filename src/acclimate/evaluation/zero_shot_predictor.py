"""Any labels for texts by a model of natural language inference: one that a study handed over, or one that transformers saved."""

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Self

import numpy as np
from numpy.typing import NDArray

from acclimate.errors import ModelError, SettingsError
from acclimate.evaluation.trained_folder import checked, finite_weights, model_config, refuse_one_text
from acclimate.evaluation.unread import Unread
from acclimate.modeling.base_files import CONFIG, MAX_LENGTH
from acclimate.modeling.baselines.table import BASELINES
from acclimate.modeling.hypotheses import TEMPLATE, Hypotheses, check_template, check_words
from acclimate.tasks.classify import Classify
from acclimate.tasks.kind import Link
from acclimate.tasks.labelled_kind import LabelledKind
from acclimate.tasks.multilabel import Multilabel
from acclimate.tasks.thresholds import Thresholds

if TYPE_CHECKING:
    from acclimate.modeling.folder import ModelFolder


class ZeroShotPredictor:
    """A model of inference that is asked for labels which it never learned, run on packed batches."""

    thresholds: Thresholds | None = None  # those of the model are of what it learned, not of what it is asked

    def __init__(self, folder: Path, max_tokens: int, hypotheses: Hypotheses) -> None:
        from acclimate.modeling.execution import Packed
        from acclimate.modeling.folder import ModelFolder
        from acclimate.modeling.heads import load_trained_classifier
        from acclimate.modeling.longest import sequence_length
        from acclimate.training.devices import Devices

        self.hypotheses = hypotheses
        self._folder = ModelFolder(folder)
        _check(self._folder, hypotheses)
        self._devices = Devices()
        classifier = load_trained_classifier(self._folder)
        finite_weights(folder, classifier)
        self._packed = Packed(classifier).to(self._devices.device)
        self._length = sequence_length(self._folder.config.get(MAX_LENGTH), self._folder)
        self._max_tokens = max_tokens
        self.unread = Unread(self._length)

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels, in the order of the columns."""
        return self.hypotheses.labels

    @property
    def link(self) -> Link:
        """What its numbers mean."""
        return "sigmoid" if self.hypotheses.several or len(self.labels) == 1 else "softmax"

    def probabilities(self, texts: Sequence[str]) -> NDArray[np.float64]:
        """Probabilities [N, L]: summing to 1 over the labels of which one holds, else each for itself; texts are cut, hypotheses never.

        Raises:
            TypeError: `texts` is one text, whose characters would be taken for texts.
        """
        from acclimate.data.crossed import crossed, cut_texts
        from acclimate.data.tokens import TokenStore
        from acclimate.evaluation.entailment import entailments

        refuse_one_text(texts)
        tokenizer = self._folder.tokenizer()
        with tempfile.TemporaryDirectory() as folder:

            def stored(name: str, column: Sequence[str]) -> TokenStore:
                return TokenStore.build(Path(folder) / name, iter(column), tokenizer, "prediction")

            column = stored("texts", texts)
            pairs = crossed(column, stored("hypotheses", self.hypotheses.sentences), tokenizer, self._length)
            cut_N = cut_texts(pairs, column)
            self.unread.count(len(texts), int(cut_N.sum()), column.total, pairs.cut_tokens)
            self.unread.cut = cut_N
            return entailments(self._packed, pairs, self.hypotheses, self._folder.labels, self._max_tokens, self._devices)


@dataclass(frozen=True)
class AskedModel:
    """The folder of a model of inference, and the labels that it is asked for."""

    folder: Path
    hypotheses: Hypotheses

    @classmethod
    def of(
        cls, folder: Path, labels: Sequence[str], template: str | None = None, entailment: str | None = None, several: bool = False
    ) -> Self:  # fmt: skip
        """Where nothing is said, template and entailment are those that the model was handed over with, or the usual ones.

        Raises:
            ModelError: there is no model.
            SettingsError: labels or template cannot be used.
        """
        known = hypotheses_of(folder)
        usual = (TEMPLATE, None) if known is None else (known.template, known.entailment)
        return cls(folder, asked(labels, template or usual[0], None, entailment or usual[1], several))

    @property
    def kind(self) -> type[LabelledKind]:
        """The kind of task that it answers."""
        return Multilabel if self.hypotheses.several else Classify

    def predictor(self, max_tokens: int = 8192) -> ZeroShotPredictor:
        """The model, ready to answer.

        Raises:
            ModelError, SettingsError: as `load_zero_shot`.
        """
        return checked(self.folder, lambda: ZeroShotPredictor(self.folder, max_tokens, self.hypotheses))


def load_zero_shot(
    folder: Path | str,
    labels: Sequence[str],
    template: str = TEMPLATE,
    names: Mapping[str, str] | None = None,
    entailment: str | None = None,
    several: bool = False,
    max_tokens: int = 8192,
) -> ZeroShotPredictor:
    """A predictor of any labels from the folder of a model of natural language inference.

    `load_zero_shot(Path("nli"), ["sport", "politics"]).probabilities(texts)` is [N, L], a column for each of `labels`. A label stands in
    the place `{}` of `template`, or what `names` has for it; `entailment` is the model's label which says that such a sentence follows
    from the text (when not given, the one that begins with `entail`). With `several` each label is judged by itself. Equal to
    transformers' zero-shot pipeline (Yin et al. 2019).

    Raises:
        ModelError: there is no trained classifier in the folder, its files are missing or damaged, or its weights are not finite.
        SettingsError: labels are missing or doubled, the template has no place for them, or no label of the model says "follows".
    """
    return AskedModel(Path(folder), asked(labels, template, names, entailment, several)).predictor(max_tokens)


def asked(
    labels: Sequence[str], template: str = TEMPLATE, names: Mapping[str, str] | None = None, entailment: str | None = None,
    several: bool = False,
) -> Hypotheses:  # fmt: skip
    """Hypotheses for labels that somebody gives.

    Raises:
        SettingsError: there is no label, one is empty or stands there twice, or the template has no place for them.
    """
    if isinstance(labels, str):
        raise SettingsError(f"labels: a list of texts is wanted, not the text {labels!r}")
    if not labels or not all(isinstance(label, str) and label.strip() for label in labels):
        raise SettingsError("labels: there is none, or one is empty")
    if doubled := next((label for number, label in enumerate(labels) if label in labels[:number]), None):
        raise SettingsError(f"labels: {doubled!r} stands there twice")
    check_template(template)
    check_words(names or {}, labels)
    return Hypotheses(tuple(labels), template, dict(names or {}), entailment, several)


def hypotheses_of(folder: Path) -> Hypotheses | None:
    """Those by which the model in a folder gives labels, as its config.json says; None where it was not handed over so.

    Raises:
        ModelError: there is no config.json, or it is damaged.
    """
    return Hypotheses.read(model_config(folder), str(folder / CONFIG))


def _check(folder: "ModelFolder", hypotheses: Hypotheses) -> None:
    if folder.config.get("model_type") in BASELINES:
        raise ModelError(f"{folder.path}: this is a plain baseline, and zero-shot asks a transformer that has learned inference")
    if "classifier" not in folder.parts:
        raise ModelError(f"{folder.path}: this model has no trained classifier, and zero-shot asks one of natural language inference")
    try:
        hypotheses.columns(folder.labels)
    except SettingsError as error:
        raise SettingsError(f"{folder.path}: {error}") from error
