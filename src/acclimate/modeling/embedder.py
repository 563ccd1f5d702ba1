"""A model that gives a vector for every text: packed states, pooled, through a dense layer, normalised."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from acclimate.errors import ModelError
from acclimate.modeling.embedding_form import DENSE, EMBEDDING, EmbeddingForm, Pooling
from acclimate.modeling.execution import Packed
from acclimate.modeling.fast_paths import FastPaths
from acclimate.modeling.folder import ModelFolder, save_changed, unlearned
from acclimate.modeling.heads import load_body
from acclimate.modeling.longest import sequence_length
from acclimate.modeling.products import quicken
from acclimate.modeling.tensors import TensorBatch
from acclimate.randomness import seed_of


class Embedder(nn.Module):
    """Called with flat batches: vectors [B, E] in float32, as `form` says."""

    def __init__(self, encoder: Packed, form: EmbeddingForm, dense: nn.Linear | None, length: int) -> None:
        super().__init__()
        self.encoder = encoder
        self.form = form
        self.dense = dense
        self.length = length
        """Tokens of a text that are read, special ones included."""

    @property
    def width(self) -> int:
        """E."""
        return self.form.width(self.encoder.width)

    def forward(self, batch: TensorBatch) -> Tensor:
        """[B, E] float32; of what frozen layers gave [B, D] where the batch brings that."""
        return self.projected(self.pooled(batch) if batch.hidden is None else batch.hidden)

    def pooled(self, batch: TensorBatch) -> Tensor:
        """[B, D] float32, before the dense layer."""
        return pooled(self.encoder.states(batch).float(), batch.offsets, self.form.pooling)

    def projected(self, pooled_BD: Tensor) -> Tensor:
        """[B, E] float32 of pooled states."""
        # Vectors are compared by their last digits: half precision stays inside of the encoder.
        with torch.autocast(pooled_BD.device.type, enabled=False):
            return self.through(pooled_BD.float())

    def through(self, vectors_BE: Tensor) -> Tensor:
        """The same of float32 alone, in whatever precision is set."""
        if self.dense is not None:
            vectors_BE = self.dense(vectors_BE)
            vectors_BE = vectors_BE.tanh() if self.form.activation == "tanh" else vectors_BE
        return nn.functional.normalize(vectors_BE) if self.form.normalize else vectors_BE


def pooled(states_TD: Tensor, offsets: Tensor, pooling: Pooling) -> Tensor:
    """[B, D] of the states of a stream of B texts; `offsets` [B+1]."""
    if pooling in ("cls", "last"):
        return states_TD[offsets[:-1] if pooling == "cls" else offsets[1:] - 1]
    return torch.segment_reduce(states_TD, pooling, offsets=offsets)


def cut(vectors_BE: Tensor, dimensions: int, normalize: bool) -> Tensor:
    """The first dimensions of vectors, of length 1 again where they were."""
    first = vectors_BE[:, :dimensions]
    return nn.functional.normalize(first) if normalize else first


def load_embedder(
    folder: ModelFolder, form: EmbeddingForm | None = None, dropout: float | None = None, seed: int = 0, fast: FastPaths = FastPaths()
) -> Embedder:
    """The embedding model of a folder, or of its encoder by another form.

    `dropout` replaces every dropout of the architecture; None leaves them. A dense layer that the folder does not have is drawn: the
    identity where it is as wide as the states, so that training begins with the encoder's own vectors, and else orthogonal, by the seed.

    Raises:
        ModelError: config.json names no form that can be read, or a dense layer that is not among the weights.
        SettingsError: the form reads more tokens than the model has positions.
    """
    own = EmbeddingForm.of(folder.config)
    form = form or own
    encoder = Packed(load_body(folder, dropout), fast)
    dense = None
    if form.dense is not None:
        # Read before one is made: its size is what a config.json says.
        kept = dense_of(folder.tensors(), folder.path, (form.dense, encoder.width)) if own.dense == form.dense else None
        dense = nn.Linear(encoder.width, form.dense)
        if kept is not None:
            dense.load_state_dict(kept)
        else:
            _draw(dense, seed)
    embedder = Embedder(encoder, form, dense, sequence_length(form.max_length, folder))
    if fast.onednn:
        quicken(embedder)
    return embedder


def dense_of(tensors: Mapping[str, Tensor], folder: Path, shape: tuple[int, int]) -> dict[str, Tensor]:
    """The weights of the dense layer among those of a model; its weight has this `shape` (E, D).

    Raises:
        ModelError: they are not there, or of another shape.
    """
    found = {name: tensors[f"{DENSE}.{name}"] for name in ("weight", "bias") if f"{DENSE}.{name}" in tensors}
    if len(found) < 2:
        raise ModelError(f"{folder}: its config.json names a dense layer over the vectors, which is not among the weights")
    if tuple(found["weight"].shape) != shape or tuple(found["bias"].shape) != shape[:1]:
        raise ModelError(
            f"{folder}: its config.json names a dense layer {list(shape)} over the vectors, and its weights have "
            f"{list(found['weight'].shape)} and a bias {list(found['bias'].shape)}; copy the folder again"
        )
    return found


def save_embedder(output: Path, parent: ModelFolder, embedder: Embedder, answers: bool = False) -> ModelFolder:
    """Write the encoder and its dense layer over everything that `parent` carries, with the form in config.json.

    The folder is one of sentence-transformers, too (`sentence_folder.py`). Where it `answers` by its vectors, as `write_head` then says, a
    classifier that `parent` learned is left out.
    """
    own, carried = unlearned(parent) if answers else (parent.config, parent.tensors())
    tensors = {name: tensor for name, tensor in carried.items() if not name.startswith(f"{DENSE}.")}
    prefix = parent.architecture.prefix
    tensors |= {prefix + name: tensor for name, tensor in embedder.encoder.model.state_dict().items()}
    if embedder.dense is not None:
        tensors |= {f"{DENSE}.{name}": tensor for name, tensor in embedder.dense.state_dict().items()}
    config: dict[str, Any] = {**own, EMBEDDING: embedder.form.model_dump(mode="json")}
    return save_changed(output, parent, config, tensors)


def _draw(dense: nn.Linear, seed: int) -> None:
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(seed_of(seed, "init", DENSE))
        if dense.in_features == dense.out_features:
            nn.init.eye_(dense.weight)
        else:
            nn.init.orthogonal_(dense.weight)
        nn.init.zeros_(dense.bias)
