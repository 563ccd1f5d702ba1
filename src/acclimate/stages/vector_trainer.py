"""Trainers of embedding models: of the vectors themselves, and of a classifier that stands on them.

Where the encoder is frozen, what it gives is computed once.
"""

from collections.abc import Callable
from collections.abc import Sequence as TextList
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

from acclimate.data.apart import ApartSequences
from acclimate.data.corpus import Corpus
from acclimate.data.hidden_outputs import Outputs
from acclimate.data.model_inputs import sequences_of
from acclimate.data.sequences import Sequences
from acclimate.evaluation.by_vectors import encoded_columns
from acclimate.evaluation.cost import training_flops
from acclimate.evaluation.inference import inference_speed
from acclimate.evaluation.text_vectors import sequence_vectors
from acclimate.modeling.adapter_settings import AdapterTraining
from acclimate.modeling.divided_embedder import DividedEmbedder, in_parts
from acclimate.modeling.embedder import Embedder, load_embedder, save_embedder
from acclimate.modeling.embedding_form import EmbeddingForm, Side
from acclimate.modeling.execution import checkpoint_activations
from acclimate.modeling.families import dimensions_of
from acclimate.modeling.folder import ModelFolder
from acclimate.modeling.heads import freeze
from acclimate.modeling.tensors import TensorBatch
from acclimate.modeling.vector_classifier import VectorClassifier
from acclimate.modeling.vector_heads import write_head
from acclimate.stages.base import Context
from acclimate.stages.frozen_cache import FrozenLayers
from acclimate.stages.pace import EncoderPace, Pace
from acclimate.stages.trainer import Trainer, forward_tokens, stored
from acclimate.stages.vector_cache import vector_cache
from acclimate.stages.watched import watched
from acclimate.tasks.kind import Head
from acclimate.tasks.relations import Examples
from acclimate.tasks.split import Split, text_digest
from acclimate.training.groups import decayed, in_two
from acclimate.training.loop import Group

if TYPE_CHECKING:
    from acclimate.stages.embed import Embed
    from acclimate.stages.finetune import Finetune


class VectorTrainer(Trainer):
    """A trainer of an embedding model, or of a network over one; what its frozen layers give for a text is computed once."""

    def __init__(
        self,
        context: Context,
        parent: ModelFolder,
        embedder: Embedder,
        pace: EncoderPace,
        over: Callable[[Embedder | DividedEmbedder], nn.Module] = lambda network: network,
        layer_decay: float = 1.0,
    ) -> None:
        """`over` makes what is trained of what gives the vectors; what is frozen of `embedder` is so already."""
        self.embedder = embedder.to(context.runtime.devices.device)
        self.network = in_parts(self.embedder)
        """What gives the vectors, in training as after it."""
        model, module = embedder.encoder.model, over(self.network).to(context.runtime.devices.device)
        inside = {id(parameter) for parameter in model.parameters()}

        def groups(pace: Pace) -> list[Group]:
            above = (each for each in module.parameters() if id(each) not in inside and each.requires_grad)
            body = decayed(model, pace.weight_decay, layer_decay) if any(each.requires_grad for each in model.parameters()) else []
            return [*in_two(above, pace.weight_decay), *body]

        super().__init__(context, module, forward_tokens(context, model, 0.0), pace, groups, type(model).__name__)
        self.length = embedder.length
        self.frozen = not any(each.requires_grad for each in model.parameters())
        self._parent = parent
        parts = self.network.parts if isinstance(self.network, DividedEmbedder) else None
        self._below = None if parts is None else FrozenLayers(parts, parent, "float32", self.micro, context, self.notes)
        if embedder.encoder.execution != "packed":
            self.notes.append(embedder.encoder.reason)

    @property
    def parameters(self) -> tuple[int, int]:
        """(all, those that are trained)."""
        every = {id(each): each for each in (*self.embedder.parameters(), *self.module.parameters())}.values()
        return sum(p.numel() for p in every), sum(p.numel() for p in every if p.requires_grad)

    def time(self, texts: Sequences) -> None:
        """Find out how fast the whole model is."""
        whole = replace(texts, hidden=None)
        self._speed = lambda: inference_speed(self.module, whole, self.micro, self.devices)

    def _once(self, texts: Sequences, name: str, run: Callable[[TensorBatch], Tensor] | None = None) -> NDArray[np.float32]:
        """[N, E] the vectors of texts, or what `run` gives of them [N, ...]."""
        told = watched(self.context, f"{name}, once", self.micro)
        found = sequence_vectors(self.embedder, texts, self.micro, self.devices, told, run)
        self.context.runtime.reporter.close()
        return found

    def flops(self, mean_length: float, frozen_tokens: int | None = None) -> float:
        """Operations of all that was trained; `frozen_tokens` went once through what is frozen."""
        model = self.embedder.encoder.model
        size = dimensions_of(model.config.to_dict())
        embeddings = sum(each.numel() for each in model.get_input_embeddings().parameters())
        parameters, trained = self.parameters
        return training_flops(
            parameters=parameters - embeddings, tokens=self.tokens, width=size.layers * size.width, length=mean_length,
            trained_share=trained / parameters, frozen_tokens=frozen_tokens,
        )  # fmt: skip


class EmbeddingTrainer(VectorTrainer):
    """A trainer of an embedding model by examples of texts that belong together."""

    @classmethod
    def of(cls, context: Context, parent: ModelFolder, stage: "Embed", form: EmbeddingForm) -> Self:
        """The trainer of what a stage makes of a model.

        Raises:
            SettingsError: it has too few positions, or cannot compute its activations again.
        """
        embedder = _prepared(context, parent, stage, form)
        return cls(context, parent, embedder, stage)

    def read(self, examples: Examples, name: str) -> Sequences:
        """[U] the texts of examples as the model reads them; with what frozen layers give, their pooled states where all of them are."""
        corpus = Corpus.of_texts("labelled", examples.texts, text_digest(examples.texts))
        store = self.context.tokens(corpus, self._parent)
        texts = sequences_of([store], self._parent.tokenizer(), self.length)
        if self._below is not None:
            return self._below.read(texts, corpus.fingerprint)
        return replace(texts, hidden=_rows(self._once(texts, name, self.embedder.pooled))) if self.frozen else texts

    def save(self) -> None:
        """Write the model, over everything that its parent carries."""
        if self.devices.is_main:
            save_embedder(self.context.output / "model", self._parent, self.embedder)


class ClassifierTrainer(VectorTrainer):
    """A trainer of a classifier on the vectors of texts; `finetune` uses it as it does `EncoderTrainer`."""

    def __init__(self, context: Context, parent: ModelFolder, stage: "Finetune", head: Head, texts: int) -> None:
        """Of a fresh `head` on the vectors that the model makes of the `texts` of an item, with what the stage trains of it.

        Raises:
            SettingsError: it has too few positions or layers, or cannot compute its activations again.
        """
        own = EmbeddingForm.of(parent.config)
        embedder = _prepared(context, parent, stage, own.model_copy(update={"max_length": stage.max_length or own.max_length}))
        if stage.train == "head":
            embedder.requires_grad_(False)  # its dense layer makes vectors, too
        dropout = stage.head.dropout if stage.dropout is None else stage.dropout

        def over(network: Embedder | DividedEmbedder) -> nn.Module:
            return VectorClassifier(network, len(head.names), dropout, context.seed, texts)

        super().__init__(context, parent, embedder, stage, over, stage.layer_decay)
        self._head, self._texts = head, texts

    def read(self, split: Split, *_: Any) -> Sequences:
        """The texts of a split as the model reads them, cut to its length; with what frozen layers give, or where all is their vectors."""
        columns = [self._sequences(column) for column in split.inputs]
        texts = ApartSequences.of(*columns) if len(columns) == 2 else columns[0]
        if self._below is not None:
            return self._below.read(texts, split.text_fingerprint)
        if any(each.requires_grad for each in self.embedder.parameters()):
            return texts
        cache = vector_cache(self.context, self._parent, self.embedder.form)

        def encode(several: TextList[str], _: Side | None) -> NDArray[np.floating]:
            read = self._sequences(several)
            if cache is None:
                return self._once(read, "vectors")
            return cache.of(read, self.embedder.width, lambda: self._once(read, "vectors")).vectors

        return replace(texts, hidden=_rows(np.concatenate(encoded_columns(split.inputs, encode), axis=1)))

    def _sequences(self, texts: TextList[str]) -> Sequences:
        return sequences_of([stored(self.context, self._parent, texts)], self._parent.tokenizer(), self.length)

    def time(self, texts: Sequences) -> None:
        """As of any text; of pairs by how fast the first ones are read."""
        if not isinstance(texts, ApartSequences):
            return super().time(texts)
        self._speed = lambda: inference_speed(self.embedder, texts.first, self.micro, self.devices) / 2

    def outputs(self, texts: Sequences, head: Head) -> NDArray[np.float64]:
        """As of any network; how fast it is, whole."""
        found = super().outputs(texts, head)
        if texts.hidden is not None:
            self.time(texts)
        return found

    def save(self, **_: Any) -> None:
        """Write the model and its head, over everything that its parent carries but an earlier classifier."""
        if self.devices.is_main:
            assert isinstance(self.module, VectorClassifier)
            output = self.context.output / "model"
            save_embedder(output, self._parent, self.embedder, answers=True)
            write_head(output, self.module.head(self._head.names, self._head.link), self._texts)


def _prepared(context: Context, parent: ModelFolder, stage: "Embed | Finetune", form: EmbeddingForm) -> Embedder:
    """The embedding model of a folder, with what the stage does not train of its encoder frozen."""
    embedder = load_embedder(parent, form, stage.dropout, context.seed, context.runtime.fast)
    model = embedder.encoder.model
    if stage.gradient_checkpointing:
        checkpoint_activations(model)
    if stage.train == "head":
        model.requires_grad_(False)
    else:
        assert not isinstance(stage.train, AdapterTraining), "refused by the plan"
        freeze(model, stage.train)
    return embedder


def _rows(rows: NDArray[np.float32]) -> Outputs:
    return Outputs(rows, np.arange(len(rows) + 1))
