"""What is known of each supported architecture before any of it is loaded."""

from typing import Any

# Their packed forward pass and gradients are tested to equal those on padded batches.
VERIFIED = ("albert", "bert", "camembert", "distilbert", "electra", "modernbert", "roberta", "xlm-roberta")
# Their attention adds relative positions by itself and does not go through transformers' attention interface.
OWN_ATTENTION = ("deberta", "deberta-v2", "mpnet")
# Positions count from the padding id plus one (transformers derives them from the ids where none are given).
SHIFTED_POSITIONS = ("camembert", "mpnet", "roberta", "xlm-roberta")
# All layers of these are one, so there is no lower part to freeze and an upper part to train.
ONE_LAYER = ("albert",)
# transformers cannot compute their activations again in the backward pass.
NO_CHECKPOINTING = ("albert", "mpnet")


def divisible(model_type: str) -> bool:
    """Whether frozen layers can be run apart from the rest."""
    return model_type in VERIFIED and model_type not in ONE_LAYER


def pools_mean(config: dict[str, Any]) -> bool:
    """Whether a classifier's head sees the mean over a text's tokens instead of its first token."""
    return bool(config.get("classifier_pooling", "cls") == "mean")
