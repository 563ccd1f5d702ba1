"""Running a plain Hugging Face model on flat batches: packed where its attention allows, on length-bucketed padded batches elsewhere.

Output heads are applied to the positions that need them only: the masked ones for MLM, the asked ones of a tagger, one per sequence for a
classifier (the first, or of a decoder the last). The feed-forward part of the last layer needs no others either, so where an architecture
allows, positions are chosen right after the last attention. All this is done from outside by a forward hook, and equals the untouched model
on padded batches.
"""

import inspect
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Literal, Self

import torch
from torch import Tensor, nn

from acclimate.data.batches import TARGET_INDEX
from acclimate.errors import SettingsError
from acclimate.modeling.architecture import is_adapted, kind_of
from acclimate.modeling.attention_kernels import BackEnd
from acclimate.modeling.dropout import cheapen
from acclimate.modeling.families import dimensions_of, family_of
from acclimate.modeling.fast_paths import FastPaths
from acclimate.modeling.layers import layers_of
from acclimate.modeling.packed import attach, back_end
from acclimate.modeling.packing import Packing
from acclimate.modeling.products import quicken
from acclimate.modeling.tensors import TensorBatch

if TYPE_CHECKING:
    from transformers import PreTrainedModel

SHORTEST_SHARE = 0.75  # of a bucket's longest sequence: at most a quarter of a bucket is padding


class Packed(nn.Module):
    """A model for masked or causal language modelling, sequence or token classification, called with flat batches.

    `execution` says how it runs and `reason`, for the log, why it is not packed (empty where it is). `model` is the Hugging Face model
    itself, whose parameters these are.
    """

    execution: Literal["packed", "bucketed"]
    reason: str

    def __init__(self, model: "PreTrainedModel", fast: FastPaths = FastPaths()) -> None:
        super().__init__()
        self.model = model
        self.fast = fast
        self.family = family_of(model.config)
        self.reason = _obstacle(model) if fast.packed else "fast_paths: packed is switched off"
        self.execution = "bucketed" if self.reason else "packed"
        self.seen: Callable[[Tensor, Tensor, Tensor], None] | None = None  # gets to know what each attention compares
        self.before: tuple[tuple[Tensor, Tensor], ...] = ()
        self.by_position = kind_of(model) != "classifier"
        self.pools_mean = not self.by_position and self.family.pools_mean(model.config.to_dict())
        self._shift = padding_id(model) + 1 if self.family.shifted_positions else 0
        self._adapted = is_adapted(model)
        self._checkpointed = any(getattr(module, "gradient_checkpointing", False) for module in model.modules())
        # Where there is one segment, or none, all tokens are of it, whatever a tokenizer says. A decoder that takes segments (GPT-2) has
        # no embeddings for them: it would add those of words.
        self._takes_types = takes_types(model)
        if fast.cheap_dropout:
            cheapen(model)
        if fast.onednn:
            quicken(model)
        if self.execution == "packed":
            attach(model)

    def train(self, mode: bool = True) -> Self:
        """Training mode for what is trained: a part whose parameters are all frozen keeps still, without dropout."""
        super().train(mode)
        # Adapters stand between frozen parts, whose dropout is the model's as it is where all of it is trained.
        for module in self.modules() if mode and not self._adapted else ():
            parameters = list(module.parameters())
            if parameters and not any(parameter.requires_grad for parameter in parameters):
                module.eval()
        return self

    @property
    def attention(self) -> BackEnd | None:
        """What computes packed attention on this device, within this autocast and in this mode (training or not); None where bucketed."""
        return back_end(self.model) if self.execution == "packed" else None

    @property
    def width(self) -> int:
        """Of a token's vector, D."""
        return dimensions_of(self.model.config.to_dict()).width

    def forward(self, batch: TensorBatch) -> Tensor:
        """Logits [M, V] at `batch.targets["target_index"]` of a language model, [M, L] there of a tagger, [B, L] of a classifier."""
        if self.family.decoder and not self.by_position:
            # Its own class looks for the last token of a row by its id, and a stream is one row.
            head = self.model.get_submodule(self.family.last_linear)
            return head(self.states(batch)[batch.offsets[1:] - 1])  # type: ignore[no-any-return]
        return self._packed(batch) if self.execution == "packed" else self._bucketed(batch)

    @contextmanager
    def behind(self, batch: TensorBatch) -> Iterator[None]:
        """Within the block all sequences stand behind the one of `batch`, which goes through the model once, for its keys and values.

        A decoder's alone, packed, without gradients.
        """
        assert self.execution == "packed"
        assert self.family.decoder
        kept: list[tuple[Tensor, Tensor]] = []
        self.seen = lambda _, key, value: kept.append((key, value))
        try:
            self.states(batch)
            self.seen, self.before = None, tuple(kept)
            yield
        finally:
            self.seen, self.before = None, ()

    def states(self, batch: TensorBatch) -> Tensor:
        """The last hidden states [T, D] of every token."""
        base = self.model.base_model
        if self.execution == "packed":
            return self.body(base, batch)[0]
        every = torch.arange(len(batch.input_ids), device=batch.input_ids.device)
        results, rows = [], []
        for bucket in buckets(batch.lengths):
            chosen = torch.tensor(bucket, device=every.device)
            here, row, column = _cells(every, batch.offsets, chosen)
            results.append(base(**self._padded(batch, chosen, batch.lengths[bucket[0]])).last_hidden_state[row, column])
            rows.append(here)
        return torch.cat(results)[torch.cat(rows).argsort()]

    def body(self, base: nn.Module, batch: TensorBatch) -> Tensor:
        """The last hidden states [1, T, D] of `base`, this model's own base or a part of it."""
        hidden_1TD: Tensor = base(**self._inputs(batch)).last_hidden_state
        return hidden_1TD

    @property
    def _first(self) -> int:
        """The position of a sequence's first token."""
        return self._shift + (self.before[0][0].shape[2] if self.before else 0)

    def _inputs(self, batch: TensorBatch) -> dict[str, Any]:
        inputs: dict[str, Any] = {"input_ids": batch.input_ids[None], "position_ids": batch.position_ids[None] + self._first}
        if self._takes_types and batch.token_type_ids is not None:
            inputs["token_type_ids"] = batch.token_type_ids[None]
        if self.family.decoder:
            inputs["use_cache"] = False  # of keys and values, for tokens that never come
        return {**inputs, "packing": Packing.of(batch, self.fast.cheap_dropout, self.seen, self.before)}

    def _packed(self, batch: TensorBatch) -> Tensor:
        # Classifiers pool, so a stream of many texts must be cut into rows for them: their positions are always chosen.
        if self.by_position and not self.fast.sparse_head:
            return self.model(**self._inputs(batch)).logits[0, batch.targets[TARGET_INDEX]]  # type: ignore[no-any-return]
        with hidden_states_through(self._chosen_after(), lambda hidden_1TD: self._wanted(hidden_1TD, batch)):
            logits: Tensor = self.model(**self._inputs(batch)).logits
        # A view: the gradient of an index would be a second tensor as large as the logits.
        return logits.squeeze(0) if self.by_position else logits

    def _chosen_after(self) -> nn.Module:
        # Checkpointed layers run again in the backward pass, when the hook is gone: they stay whole.
        base: Any = self.model.base_model
        if self.fast.sparse_last_layer and not self.pools_mean and not self._checkpointed:
            attention = last_attention(base)
            if attention is not None:
                return attention
        # A pooler runs inside the base model, after its encoder: positions must be chosen before it.
        pools = self.family.pooler and getattr(base, self.family.pooler, None) is not None
        return base.get_submodule(self.family.stack) if pools else base  # type: ignore[no-any-return]

    def _wanted(self, hidden_1TD: Tensor, batch: TensorBatch) -> Tensor:
        if self.by_position:
            return hidden_1TD[:, batch.targets[TARGET_INDEX]]
        if self.pools_mean:
            # [B, 1, D]: the head's own mean over one position then leaves it as it is.
            sums_BD = torch.segment_reduce(hidden_1TD[0].float(), "sum", offsets=batch.offsets)
            return (sums_BD / batch.offsets.diff()[:, None]).to(hidden_1TD.dtype)[:, None]
        return hidden_1TD[0, batch.offsets[:-1]][:, None]

    def _bucketed(self, batch: TensorBatch) -> Tensor:
        targets = batch.targets.get(TARGET_INDEX) if self.by_position else None
        results, rows = [], []
        for bucket in buckets(batch.lengths):
            chosen = torch.tensor(bucket, device=batch.input_ids.device)
            inputs = self._padded(batch, chosen, batch.lengths[bucket[0]])
            if targets is None:
                results.append(self.model(**inputs).logits)
                rows.append(chosen)
            else:
                here, row, column = _cells(targets, batch.offsets, chosen)
                results.append(self._chosen_logits(inputs, row, column))
                rows.append(here)
        # Back from the buckets' order to the batch's.
        return torch.cat(results)[torch.cat(rows).argsort()]

    def _chosen_logits(self, inputs: dict[str, Tensor], row: Tensor, column: Tensor) -> Tensor:
        if self.family.head_by_position and self.fast.sparse_head:
            with hidden_states_through(self.model.base_model, lambda hidden_BLD: hidden_BLD[row, column][None]):
                return self.model(**inputs).logits.squeeze(0)  # type: ignore[no-any-return]
        return self.model(**inputs).logits[row, column]  # type: ignore[no-any-return]

    def _padded(self, batch: TensorBatch, chosen: Tensor, longest: int) -> dict[str, Tensor]:
        column_L = torch.arange(longest, device=chosen.device)
        real_BL = column_L < batch.offsets.diff()[chosen][:, None]
        source_BL = (batch.offsets[chosen][:, None] + column_L) * real_BL
        inputs = {
            "input_ids": torch.where(real_BL, batch.input_ids[source_BL], padding_id(self.model)),
            "attention_mask": real_BL.long(),
        }
        if self._takes_types and batch.token_type_ids is not None:
            inputs["token_type_ids"] = torch.where(real_BL, batch.token_type_ids[source_BL], 0)
        return inputs


def buckets(lengths: tuple[int, ...]) -> list[list[int]]:
    """Sequence numbers in groups of similar length, longest first, each sequence once."""
    groups: list[list[int]] = []
    for number in sorted(range(len(lengths)), key=lambda number: -lengths[number]):
        if groups and lengths[number] >= SHORTEST_SHARE * lengths[groups[-1][0]]:
            groups[-1].append(number)
        else:
            groups.append([number])
    return groups


def _cells(targets: Tensor, offsets: Tensor, chosen: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    # Which targets lie in the sequences `chosen`, and their row and column in the padded rectangle of these.
    sequence = torch.searchsorted(offsets, targets, right=True) - 1
    row_of = torch.full((len(offsets) - 1,), -1, device=chosen.device)
    row_of[chosen] = torch.arange(len(chosen), device=chosen.device)
    here = (row_of[sequence] >= 0).nonzero()[:, 0]
    return here, row_of[sequence[here]], targets[here] - offsets[sequence[here]]


@contextmanager
def hidden_states_through(module: nn.Module, change: Callable[[Tensor], Tensor]) -> Iterator[None]:
    """Within the block, the hidden states that `module` gives go through `change` before anything else sees them."""

    # The hook lives as long as one forward pass: nothing of a batch stays behind in the model.
    def hook(_module: nn.Module, _inputs: Any, output: Any) -> Any:
        if isinstance(output, Tensor):
            return change(output)
        if isinstance(output, tuple):
            return change(output[0]), *output[1:]
        output.last_hidden_state = change(output.last_hidden_state)
        return output

    handle = module.register_forward_hook(hook)
    try:
        yield
    finally:
        handle.remove()


def last_attention(base: nn.Module) -> nn.Module | None:
    """The module of the last layer after which each position goes its own way; None where an architecture, or a skipped layer, has none."""
    name = family_of(base.config).last_attention
    return getattr(layers_of(base)[-1], name, None) if name else None


def padding_id(model: "PreTrainedModel") -> int:
    """Of the token that fills a padded batch."""
    built_in = family_of(model.config).padding_id
    return int(model.config.pad_token_id or 0) if built_in is None else built_in


def takes_types(model: "PreTrainedModel") -> bool:
    """Whether it is told which of two texts a token is of; a decoder that could be told would add a word's embedding for it."""
    takes = "token_type_ids" in inspect.signature(model.forward).parameters and not family_of(model.config).decoder
    return takes and getattr(model.config, "type_vocab_size", 2) > 1


def _obstacle(model: "PreTrainedModel") -> str:
    family = family_of(model.config)
    why = family.unpacked
    if not why and not family.decoder and getattr(model.config, "is_decoder", False):
        why = "configured as a decoder, and only heads of encoders are verified"
    if not why and getattr(model.config, "use_bidirectional_attention", False):
        why = "configured to look both ways"
    return why and f"{family.model_type}: {why}, so it runs on length-bucketed padded batches: slower, with the same results"


def checkpoint_activations(model: "PreTrainedModel") -> None:
    """Let the layers compute their activations again in the backward pass instead of keeping them (Chen et al. 2016).

    Raises:
        SettingsError: the architecture cannot.
    """
    if not model.supports_gradient_checkpointing:
        raise SettingsError(f"gradient_checkpointing: {model.config.model_type} cannot do it; lower max_length or --micro-tokens instead")
    # Renamed in newer versions of the library, where the old name warns.
    enable = getattr(model, "activation_checkpointing_enable", None) or model.gradient_checkpointing_enable
    enable({"use_reentrant": False})
