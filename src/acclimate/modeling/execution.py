"""Running a plain Hugging Face model on flat batches: packed where its attention allows, on length-bucketed padded batches elsewhere.

Output heads are applied to the positions that need them only: the masked ones for MLM, one per sequence for a classifier. Both are done
from outside by a forward hook, and both equal the untouched model on padded batches.
"""

import inspect
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Literal

import torch
from torch import Tensor, nn

from acclimate.data.batches import TARGET_INDEX
from acclimate.modeling.architecture import is_mlm
from acclimate.modeling.attention_kernels import BackEnd
from acclimate.modeling.dropout import cheapen
from acclimate.modeling.packed import Packing, attach, back_end
from acclimate.modeling.tensors import TensorBatch

if TYPE_CHECKING:
    from transformers import PreTrainedModel

# Architectures whose packed forward pass and gradients are tested to equal those on padded batches.
VERIFIED = ("albert", "bert", "camembert", "distilbert", "electra", "modernbert", "roberta", "xlm-roberta")
# Their attention adds relative positions by itself and does not go through transformers' attention interface.
OWN_ATTENTION = ("deberta", "deberta-v2", "mpnet")
# Positions count from the padding id plus one (transformers derives them from the ids where none are given).
SHIFTED_POSITIONS = ("camembert", "mpnet", "roberta", "xlm-roberta")
SHORTEST_SHARE = 0.75  # of a bucket's longest sequence: at most a quarter of a bucket is padding


class Packed(nn.Module):
    """A model for masked language modelling or sequence classification, called with flat batches.

    `execution` says how it runs and `reason`, for the log, why it is not packed (empty where it is). `model` is the Hugging Face model
    itself, whose parameters these are.
    """

    execution: Literal["packed", "bucketed"]
    reason: str

    def __init__(self, model: "PreTrainedModel") -> None:
        super().__init__()
        self.model = model
        self.reason = _obstacle(model)
        self.execution = "bucketed" if self.reason else "packed"
        self._kind = model.config.model_type
        self._is_mlm = is_mlm(model)
        self._shift = _padding_id(model) + 1 if self._kind in SHIFTED_POSITIONS else 0
        self._takes_types = "token_type_ids" in inspect.signature(model.forward).parameters
        cheapen(model)
        if self.execution == "packed":
            attach(model)

    @property
    def attention(self) -> BackEnd | None:
        """What computes packed attention on this device, within this autocast and in this mode (training or not); None where bucketed."""
        return back_end(self.model) if self.execution == "packed" else None

    def forward(self, batch: TensorBatch) -> Tensor:
        """Logits [M, V] at `batch.targets["target_index"]` of a masked language model, [B, L] of a classifier."""
        return self._packed(batch) if self.execution == "packed" else self._bucketed(batch)

    def _packed(self, batch: TensorBatch) -> Tensor:
        inputs = {"input_ids": batch.input_ids[None], "position_ids": batch.position_ids[None] + self._shift}
        if self._takes_types and batch.token_type_ids is not None:
            inputs["token_type_ids"] = batch.token_type_ids[None]
        with _hidden_states_through(self._last_body(), lambda hidden_1TD: self._wanted(hidden_1TD, batch)):
            logits: Tensor = self.model(**inputs, packing=Packing.of(batch)).logits
        return logits[0] if self._is_mlm else logits

    def _last_body(self) -> nn.Module:
        # BERT's and ALBERT's pooler runs inside the base model, after its encoder: positions must be chosen before it.
        base: Any = self.model.base_model
        return base.encoder if getattr(base, "pooler", None) is not None else base  # type: ignore[no-any-return]

    def _wanted(self, hidden_1TD: Tensor, batch: TensorBatch) -> Tensor:
        if self._is_mlm:
            return hidden_1TD[:, batch.targets[TARGET_INDEX]]
        if getattr(self.model.config, "classifier_pooling", "cls") == "mean":
            # [B, 1, D]: the head's own mean over one position then leaves it as it is.
            sums_BD = torch.segment_reduce(hidden_1TD[0].float(), "sum", offsets=batch.offsets)
            return (sums_BD / batch.offsets.diff()[:, None]).to(hidden_1TD.dtype)[:, None]
        return hidden_1TD[0, batch.offsets[:-1]][:, None]

    def _bucketed(self, batch: TensorBatch) -> Tensor:
        targets = batch.targets.get(TARGET_INDEX) if self._is_mlm else None
        results, rows = [], []
        for bucket in buckets(batch.lengths):
            chosen = torch.tensor(bucket, device=batch.input_ids.device)
            inputs = self._padded(batch, chosen, batch.lengths[bucket[0]])
            if targets is None:
                results.append(self.model(**inputs).logits)
                rows.append(chosen)
            else:
                here, row, column = _cells(targets, batch.offsets, chosen)
                results.append(self._masked_logits(inputs, row, column))
                rows.append(here)
        # Back from the buckets' order to the batch's.
        return torch.cat(results)[torch.cat(rows).argsort()]

    def _masked_logits(self, inputs: dict[str, Tensor], row: Tensor, column: Tensor) -> Tensor:
        if self._kind in OWN_ATTENTION:  # tested: their MLM heads work position by position
            with _hidden_states_through(self.model.base_model, lambda hidden_BLD: hidden_BLD[row, column][None]):
                return self.model(**inputs).logits[0]  # type: ignore[no-any-return]
        return self.model(**inputs).logits[row, column]  # type: ignore[no-any-return]

    def _padded(self, batch: TensorBatch, chosen: Tensor, longest: int) -> dict[str, Tensor]:
        column_L = torch.arange(longest, device=chosen.device)
        real_BL = column_L < batch.offsets.diff()[chosen][:, None]
        source_BL = (batch.offsets[chosen][:, None] + column_L) * real_BL
        inputs = {
            "input_ids": torch.where(real_BL, batch.input_ids[source_BL], _padding_id(self.model)),
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
def _hidden_states_through(module: nn.Module, change: Callable[[Tensor], Tensor]) -> Iterator[None]:
    # The hook lives as long as one forward pass: nothing of a batch stays behind in the model.
    def hook(_module: nn.Module, _inputs: Any, output: Any) -> Any:
        output.last_hidden_state = change(output.last_hidden_state)
        return output

    handle = module.register_forward_hook(hook)
    try:
        yield
    finally:
        handle.remove()


def _padding_id(model: "PreTrainedModel") -> int:
    padding_id = getattr(model.base_model.embeddings, "padding_idx", None)  # MPNet has a fixed one of its own
    return int(model.config.pad_token_id or 0) if padding_id is None else int(padding_id)


def _obstacle(model: "PreTrainedModel") -> str:
    kind = model.config.model_type
    instead = "so it runs on length-bucketed padded batches: slower, with the same results"
    if kind in OWN_ATTENTION:
        return f"{kind}: its attention does not go through transformers' attention interface, {instead}"
    if kind not in VERIFIED:
        return f"{kind}: packed execution is not verified for this architecture, {instead}"
    if getattr(model.config, "is_decoder", False):
        return f"{kind}: configured as a decoder, and packed attention looks both ways, {instead}"
    return ""
