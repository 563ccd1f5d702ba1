"""A decoder that gives labels by how likely their words come next, ready to answer."""

import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from acclimate.errors import SettingsError
from acclimate.evaluation.trained_folder import finite_weights, refuse_one_text
from acclimate.evaluation.unread import Unread
from acclimate.modeling.base_files import MAX_LENGTH
from acclimate.modeling.label_prompt import LabelPrompt
from acclimate.tasks.kind import Link


class PromptPredictor:
    """A decoder with examples, template and label words, run on packed batches."""

    link: Link = "softmax"

    def __init__(self, folder: Path, max_tokens: int, prompt: LabelPrompt) -> None:
        from acclimate.modeling.execution import Packed
        from acclimate.modeling.folder import ModelFolder
        from acclimate.modeling.heads import load_mlm
        from acclimate.modeling.longest import sequence_length
        from acclimate.objectives.clm import Borders, NextTokens
        from acclimate.training.devices import Devices

        self.prompt = prompt
        model = ModelFolder(folder)
        self._tokenizer = model.tokenizer()
        self._question = prompt.question(self._tokenizer)
        self._begin = Borders.of(model).begin
        self._devices = Devices()
        decoder, _ = load_mlm(model, 0, None)
        finite_weights(folder, decoder)
        self._model = NextTokens(Packed(decoder).to(self._devices.device))
        self._length = sequence_length(model.config.get(MAX_LENGTH), model)
        self._max_tokens = max_tokens
        self.unread = Unread(self._length)

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels, in the order of the columns."""
        return self.prompt.cloze.labels

    def probabilities(self, *columns: Sequence[str]) -> NDArray[np.float64]:
        """Probabilities [N, L] that sum to 1 over the labels; texts are cut to the length of the study's, examples and template never.

        Raises:
            SettingsError: it answers single texts, and was given pairs.
            TypeError: one text stands in the place of several.
        """
        from acclimate.data.prompts import pattern_of_question, prompt_sequences
        from acclimate.data.tokens import TokenStore
        from acclimate.evaluation.label_likelihood import label_log_likelihoods

        refuse_one_text(*columns)
        if len(columns) != self.prompt.cloze.texts:
            raise SettingsError("this model answers single texts, and was given pairs: say probabilities(texts)")
        with tempfile.TemporaryDirectory() as folder:
            stores = [
                TokenStore.build(Path(folder) / f"tokens {number}", iter(column), self._tokenizer, "prediction")
                for number, column in enumerate(pattern_of_question(self._question, self._begin).led(columns))
            ]
            prompts = prompt_sequences(stores, self._question, self._begin, self._length)
            self.unread.add(prompts.contexts)
            found = label_log_likelihoods(self._model, prompts, self._max_tokens, self._devices)
            return self.prompt.probabilities(found)
