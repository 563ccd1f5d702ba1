"""A trained model's folder, ready to label texts: plain baselines and transformers behind one face."""

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from acclimate.data.ragged import Ragged
from acclimate.data.windows import usual_stride
from acclimate.errors import ModelError, SettingsError
from acclimate.evaluation.cloze_predictor import ClozePredictor
from acclimate.evaluation.entities import TagPredictor
from acclimate.evaluation.pooling import POOLS, Pool, pooled
from acclimate.evaluation.trained_folder import Model, Predictor, checked, finite_weights, model_config, refuse_one_text
from acclimate.evaluation.unread import Unread
from acclimate.evaluation.zero_shot_predictor import ZeroShotPredictor, hypotheses_of
from acclimate.modeling.base_files import CONFIG, KIND, MAX_LENGTH, POOL, STRIDE, THRESHOLDS
from acclimate.modeling.baselines.table import BASELINES, load_baseline
from acclimate.modeling.label_words import Cloze
from acclimate.modeling.links import PROBLEMS, ProblemType
from acclimate.tasks import KINDS
from acclimate.tasks.kind import Form, Link, TaskKind
from acclimate.tasks.thresholds import Thresholds


def load_predictor(folder: Path | str, max_tokens: int = 8192, baselines: Mapping[str, str] = BASELINES) -> Predictor:
    """A predictor from the folder of a model that a study handed over, a fine-tuning wrote, or transformers saved.

    `load_predictor(Path("best")).probabilities(texts)` is [N, L], a column for each of the predictor's `labels`; of a model that gives
    every word a tag it is [all words, L], and `entities(texts)` are what these make (`TagPredictor`). Where thresholds were tuned,
    `thresholds` [L] are these: of one label it is `(probabilities / thresholds).argmax(axis=1)`, of several all above them; else None.
    `max_tokens` go through a model at a time; `baselines` are the plain models that are known besides transformers, by the `model_type`
    of their config.json.

    Raises:
        ModelError: there is no trained classifier in the folder, its files are missing or damaged, or its weights are not finite.
    """
    folder = Path(folder)
    config, hypotheses = model_config(folder), hypotheses_of(folder)
    if hypotheses is not None:
        return checked(folder, lambda: ZeroShotPredictor(folder, max_tokens, hypotheses))
    predictor = checked(folder, lambda: _loaded(folder, max_tokens, load_baseline(folder, config, baselines)))
    kind, thresholds = stated_kind(config), thresholds_of(folder, predictor.labels)
    if kind is not None and kind.every_word:
        return TagPredictor(predictor, thresholds)
    return (PairPredictor if kind is not None and kind.texts() == 2 else ItemPredictor)(predictor, thresholds)


def _loaded(folder: Path, max_tokens: int, baseline: Any) -> Model:
    if baseline is None:
        cloze = Cloze.read(model_config(folder), str(folder / CONFIG))
        return TransformerPredictor(folder, max_tokens) if cloze is None else ClozePredictor(folder, max_tokens, cloze)
    answers_itself: bool = hasattr(baseline, "probabilities")
    return baseline if answers_itself else ModulePredictor(folder, baseline, max_tokens)


def kind_of_model(folder: Path, kinds: Sequence[type[TaskKind]] = KINDS, texts: int = 1) -> type[TaskKind]:
    """The kind of task that the model in a folder answers, as its config.json says: by our own word for it, or as transformers does.

    transformers does not say whether its models read single texts or pairs: where there is a choice, it is a kind of so many `texts`.

    Raises:
        ModelError: it answers none that can be judged.
    """
    config = model_config(folder)
    if (stated := stated_kind(config, kinds)) is not None:
        return stated
    if said := config.get(KIND):
        raise ModelError(f"{folder}: this model answers tasks of the kind {said!r}, which is not known here")
    outputs = len(config.get("id2label") or (0, 1))
    problem = _problem_type(config.get("problem_type"), outputs, folder)
    texts = texts_of(config) or texts
    possible = [kind for kind in kinds if kind.problem == problem]
    found = next((kind for kind in possible if kind.texts() == texts), possible[0] if possible else None)
    if found is None or (problem == "regression" and outputs > 1):
        raise ModelError(
            f"{folder}: this model gives numbers (problem_type: {problem}); only models that give a text labels are evaluated, and those "
            "that give a pair of texts one score"
        )
    return found


def stated_kind(config: Mapping[str, Any], kinds: Sequence[type[TaskKind]] = KINDS) -> type[TaskKind] | None:
    """The kind that a config.json names: by our own word, or by the class of transformers; None where it does neither, or it is unknown."""
    if said := config.get(KIND):
        return next((kind for kind in kinds if kind.model_fields["kind"].default == said), None)
    built = [str(name) for name in config.get("architectures") or ()]
    return next((kind for kind in kinds if kind.architecture and any(name.endswith(kind.architecture) for name in built)), None)


def texts_of(config: Mapping[str, Any]) -> int | None:
    """How many texts an item has that the model of a config.json answers; None where whoever made it did not say."""
    if (kind := stated_kind(config)) is not None:
        return kind.texts()
    ours = MAX_LENGTH in config or config.get("model_type") in BASELINES
    return 1 if ours and KIND not in config else None


def problem_of(predictor: Model) -> ProblemType:
    """What the outputs of a predictor mean; plain baselines say so by their `link`, those that are silent give one label."""
    found: ProblemType | None = getattr(predictor, "problem", None)
    return found or PROBLEMS[getattr(predictor, "link", "softmax")]


def thresholds_of(folder: Path, labels: Sequence[str]) -> Thresholds | None:
    """[L] above which probability the model in a folder gives each of its labels; None where that is one half.

    Raises:
        ModelError: the thresholds are not one a label, or something is above or below none of them.
    """
    config = model_config(folder)
    said, where = config.get(THRESHOLDS), folder / "config.json"
    if said is None:
        return None
    if not isinstance(said, list) or len(said) != len(labels) or not all(isinstance(each, int | float) for each in said):
        raise ModelError(f"{where}: {THRESHOLDS} must be {len(labels)} numbers, one for each label in order")
    found = np.array(said, dtype=np.float64)
    several = config.get("problem_type") == PROBLEMS["sigmoid"]
    if not np.isfinite(found).all() or (found < 0).any() or not (several or found.all()):
        raise ModelError(f"{where}: {THRESHOLDS} must be finite and {'not negative' if several else 'above 0'}")
    return found


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


class TransformerPredictor:
    """A fine-tuned transformer, run on packed batches: a classifier, or a tagger, whose `form` is `tokens`."""

    form: Form
    problem: ProblemType

    def __init__(self, folder: Path, max_tokens: int) -> None:
        from acclimate.modeling.execution import Packed
        from acclimate.modeling.folder import ModelFolder
        from acclimate.modeling.heads import load_trained_classifier, load_trained_tagger
        from acclimate.modeling.longest import sequence_length
        from acclimate.training.devices import Devices

        self._folder = ModelFolder(folder)
        if self._folder.learnt is None:
            raise ModelError(f"{folder}: this model has no trained classifier; fine-tune it first")
        config = self._folder.architecture.config
        self.form = "tokens" if self._folder.learnt == "tagger" else "sequence"
        self.problem = "single_label_classification"
        if self.form == "sequence":
            self.problem = _problem_type(config.problem_type, config.num_labels or 2, folder)
        self._devices = Devices()
        model = (load_trained_tagger if self.form == "tokens" else load_trained_classifier)(self._folder)
        finite_weights(folder, model)
        self._packed = Packed(model).to(self._devices.device)
        self._length = sequence_length(self._folder.config.get(MAX_LENGTH), self._folder)
        self.unread = Unread(self._length)
        self._pool: Pool | None = self._folder.config.get(POOL)
        if self._pool not in (None, *POOLS):
            raise ModelError(f"{folder / 'config.json'}: {POOL} is {self._pool!r}; windows of a text are pooled by {' or '.join(POOLS)}")
        self._max_tokens = max_tokens

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels, in the order of the columns."""
        return self._folder.labels

    def probabilities(self, *columns: Sequence[str], words: Ragged | None = None) -> NDArray[np.float64]:
        """Probabilities [N, L]; texts are cut to the length the model was fine-tuned with, or read whole in windows where it learned so.

        They sum to 1 over the labels, of a multi-label model each stands for itself; a regression's are no probabilities but its numbers.
        A tagger's are [all words, L], of whole texts; `words` as in `Split.words`.

        Raises:
            SettingsError: it answers single texts, and was given pairs.
        """
        from acclimate.data.model_inputs import sequences_of, text_windows, word_sequences
        from acclimate.data.tokens import TokenStore
        from acclimate.evaluation.inference import LINKS, class_probabilities, word_probabilities

        if len(columns) > 1 and texts_of(self._folder.config) == 1:
            raise SettingsError("this model answers single texts, and was given pairs: say probabilities(texts)")
        tokenizer = self._folder.tokenizer()
        with tempfile.TemporaryDirectory() as folder:
            stores = [
                TokenStore.build(Path(folder) / f"tokens {number}", iter(column), tokenizer, "prediction")
                for number, column in enumerate(columns)
            ]
            if self.form == "tokens":
                (texts,) = columns
                assert words is not None
                sequences = word_sequences(stores[0], tokenizer, texts, words, self._length, self._folder.config.get(STRIDE))
                return word_probabilities(self._packed, sequences, self.labels, self._max_tokens, self._devices)
            link = next(link for link, problem in PROBLEMS.items() if problem == self.problem)
            if self._pool is None:
                sequences = sequences_of(stores, tokenizer, self._length)
            else:
                stride = self._folder.config.get(STRIDE)
                sequences = text_windows(stores[0], tokenizer, self._length, usual_stride(self._length) if stride is None else stride)
            self.unread.add(sequences)
            found = class_probabilities(self._packed, sequences, len(self.labels), self._max_tokens, self._devices, LINKS[link])
            return found if self._pool is None else pooled(found, sequences, self._pool, link)


def _problem_type(stated: str | None, labels: int, folder: Path) -> ProblemType:
    if stated == "multi_label_classification":
        return "multi_label_classification"
    # As transformers itself takes a single output; its softmax would be 1 for every text.
    if stated == "regression" or labels == 1:
        return "regression"
    if stated in (None, "single_label_classification"):
        return "single_label_classification"
    raise ModelError(f"{folder / 'config.json'}: problem_type {stated!r} is not known")
