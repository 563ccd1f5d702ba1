"""Attention over a flat stream of sequences, added to Hugging Face models from outside through their attention interface.

The stream is one row of T tokens. What a forward pass needs to know of it travels as the keyword argument `packing` down to the attention
function, so two models, or two threads, never see each other's offsets.
"""

from typing import TYPE_CHECKING, Any

from torch import Tensor, nn
from torch.nn.functional import scaled_dot_product_attention
from transformers import AttentionInterface, AttentionMaskInterface
from transformers.masking_utils import sdpa_mask

from acclimate.modeling.attention_kernels import BackEnd, Rules, behind, choose, compute_dtype, rectangular
from acclimate.modeling.families import family_of
from acclimate.modeling.packing import Packing

if TYPE_CHECKING:
    from transformers import PreTrainedModel

NAME = "acclimate_packed"


def attach(model: "PreTrainedModel") -> None:
    """Let this model's attention go through `attention`. Without a `packing` the model still answers padded batches as before."""
    # Registering again what is there already changes nothing, so it is done where it is needed and not on import.
    AttentionInterface.register(NAME, attention)
    AttentionMaskInterface.register(NAME, _mask)
    model.set_attn_implementation(NAME)


def back_end(model: "PreTrainedModel") -> BackEnd:
    """What `attention` will take for this model as things stand: its device, its dtype or autocast's, and dropout while training."""
    config, parameter, family = model.config, next(model.parameters()), family_of(model.config)
    dropped = bool(getattr(config, family.attention_dropout, None))
    return choose(parameter.device, compute_dtype(parameter), family.dimensions(config.to_dict()).head, model.training and dropped)


def attention(
    module: nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    dropout: float = 0.0,
    scaling: float | None = None,
    sliding_window: int | None = None,
    is_causal: bool | None = None,
    packing: Packing | None = None,
    **_: Any,
) -> tuple[Tensor, None]:
    """Scaled dot-product attention within each sequence of the stream.

    `query`, `key`, `value` [1, H, T, D] with a packing, [B, H, T, D] without; the result is [1, T, H, D] or [B, T, H, D].
    Keys and values may have fewer heads. A token sees those less than `sliding_window` positions away (ModernBERT passes its window's
    half plus one), and none after it where `is_causal`, or else the module, says so.
    """
    causal = bool(getattr(module, "is_causal", False) if is_causal is None else is_causal)
    if packing is not None and packing.seen is not None:
        packing.seen(query, key, value)
    groups = query.shape[1] // key.shape[1]
    if groups > 1:
        key, value = key.repeat_interleave(groups, dim=1), value.repeat_interleave(groups, dim=1)
    if packing is not None:
        rules = Rules(dropout, scaling, sliding_window, causal, packing.cheap_dropout)
        if packing.before:
            keys, values = (tensor.repeat_interleave(groups, dim=1) for tensor in packing.before[module.layer_idx])  # type: ignore[index]
            return behind(query, key, value, packing, rules, (keys, values)), None
        back_end = choose(query.device, compute_dtype(query), query.shape[3], dropout > 0)
        return back_end.kernel(query, key, value, packing, rules), None
    if attention_mask is not None:
        out = scaled_dot_product_attention(query, key, value, attention_mask, dropout, scale=scaling)
    else:
        # One new token after many (generation) sees them all; `_mask` leaves no other unequal case to this place.
        rules = Rules(dropout, scaling, sliding_window, causal and query.shape[2] > 1)
        out = rectangular(query, key, value, rules)
    return out.transpose(1, 2), None


def _mask(attention_mask: Tensor | None = None, **settings: Any) -> Tensor | None:
    # A flat stream has no padding, and its attention knows where sequences end: a mask [T, T] would only cost memory. A cache of earlier
    # tokens, which no stream has, leaves fewer queries than keys.
    if attention_mask is None and settings.get("q_length") == settings.get("kv_length"):
        return None
    return sdpa_mask(attention_mask=attention_mask, **settings)
