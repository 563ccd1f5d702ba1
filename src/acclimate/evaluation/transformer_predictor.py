"""A fine-tuned transformer, ready to answer texts, pairs, or every word."""

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from acclimate.data.ragged import Ragged
from acclimate.data.windows import usual_stride
from acclimate.errors import ModelError, SettingsError
from acclimate.evaluation.pooling import POOLS, Pool, pooled
from acclimate.evaluation.stated import problem_type, texts_of
from acclimate.evaluation.trained_folder import finite_weights
from acclimate.evaluation.unread import Unread
from acclimate.modeling.base_files import CONFIG, MAX_LENGTH, POOL, STRIDE
from acclimate.modeling.links import PROBLEMS, ProblemType
from acclimate.tasks.kind import Form


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
            self.problem = problem_type(config.problem_type, config.num_labels or 2, folder)
        self._devices = Devices()
        model = (load_trained_tagger if self.form == "tokens" else load_trained_classifier)(self._folder)
        finite_weights(folder, model)
        self._packed = Packed(model).to(self._devices.device)
        self._length = sequence_length(self._folder.config.get(MAX_LENGTH), self._folder)
        self.unread = Unread(self._length)
        self._stride, self._pool = windows_of(self._folder.config, self._length, folder / CONFIG)
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
                sequences = word_sequences(stores[0], tokenizer, texts, words, self._length, self._stride, self._folder.by_last_piece)
                return word_probabilities(self._packed, sequences, self.labels, self._max_tokens, self._devices)
            link = next(link for link, problem in PROBLEMS.items() if problem == self.problem)
            if self._pool is None:
                sequences = sequences_of(stores, tokenizer, self._length)
            else:
                sequences = text_windows(stores[0], tokenizer, self._length, self._stride)
            self.unread.add(sequences)
            found = class_probabilities(self._packed, sequences, len(self.labels), self._max_tokens, self._devices, LINKS[link])
            return found if self._pool is None else pooled(found, sequences, self._pool, link)


def windows_of(config: Mapping[str, Any], length: int, where: Path) -> tuple[int, Pool | None]:
    """By how many tokens the windows of a text overlap, and how their answers become one; None where texts are cut.

    Raises:
        ModelError: config.json says what cannot be.
    """
    pool: Pool | None = config.get(POOL)
    if pool not in (None, *POOLS):
        raise ModelError(f"{where}: {POOL} is {pool!r}; windows of a text are pooled by {' or '.join(POOLS)}")
    stride = config.get(STRIDE)
    if stride is None:
        return usual_stride(length), pool
    if not isinstance(stride, int) or not 0 <= stride < length - 2:  # as many special tokens are usual
        raise ModelError(f"{where}: {STRIDE} is {stride!r}; windows of {length} tokens overlap by fewer")
    return stride, pool
