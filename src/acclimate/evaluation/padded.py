"""A classifier or tagger as plain transformers runs it: batches padded to their longest text, no part of it replaced."""

from collections.abc import Sequence

import torch
from torch import Tensor

from acclimate.evaluation.trained_folder import finite_weights
from acclimate.modeling.base_files import MAX_LENGTH
from acclimate.modeling.execution import padding_id, takes_types
from acclimate.modeling.folder import ModelFolder
from acclimate.modeling.heads import load_trained_classifier, load_trained_tagger
from acclimate.modeling.longest import sequence_length


class PaddedModel:
    """What `tokenizer(texts, truncation=True, padding=True)` and a forward pass of the Auto class come to, in float32."""

    def __init__(self, folder: ModelFolder, device: torch.device) -> None:
        model = (load_trained_tagger if folder.learnt == "tagger" else load_trained_classifier)(folder)
        finite_weights(folder.path, model)
        model.train(False)
        torch.nn.Module.to(model, device)  # transformers' own says nothing of devices to mypy
        self._model, self._device = model, device
        self._tokenizer = folder.tokenizer()
        self._tokenizer.enable_truncation(sequence_length(folder.config.get(MAX_LENGTH), folder))
        self._tokenizer.enable_padding(pad_id=padding_id(model))
        self._takes_types = takes_types(model)

    @torch.inference_mode()
    def probabilities(self, *columns: Sequence[str]) -> Tensor:
        """[N, L] of texts, or of pairs of two columns of them, by softmax; of a tagger [N, T, L], of every token and of padding, too."""
        encoded = self._tokenizer.encode_batch(list(zip(*columns, strict=True)) if len(columns) > 1 else list(columns[0]))
        inputs = {"input_ids": [each.ids for each in encoded], "attention_mask": [each.attention_mask for each in encoded]}
        if self._takes_types:
            inputs["token_type_ids"] = [each.type_ids for each in encoded]
        logits = self._model(**{name: torch.tensor(rows, device=self._device) for name, rows in inputs.items()}).logits
        return torch.softmax(logits.float(), -1).cpu()
