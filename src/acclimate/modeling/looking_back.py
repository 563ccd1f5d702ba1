"""An encoder whose tokens see those before them alone, for as long as it learns next words (the CLM detour, arXiv 2605.12438).

Weights and config.json stay those of an encoder: whoever reads them next sees both ways again.
"""

from typing import TYPE_CHECKING

from torch import Tensor, nn

from acclimate.errors import SettingsError

if TYPE_CHECKING:
    from acclimate.modeling.execution import Packed


class States(nn.Module):
    """Stands in the place of a head's last product, whose parameters it keeps under their names: gives what would go into it [..., D]."""

    def __init__(self, product: nn.Linear) -> None:
        super().__init__()
        self.weight, self.bias = product.weight, product.bias

    def forward(self, hidden_states: Tensor) -> Tensor:
        """The states themselves: a vocabulary's logits are there for some rows at a time, elsewhere."""
        return hidden_states


def look_back(packed: "Packed") -> None:
    """Let every attention of an encoder be causal, and its head for masked words give what it would multiply with the words.

    Raises:
        SettingsError: its attention is not computed here, or its head does not end in a product with the words.
    """
    model, name = packed.model, packed.family.model_type
    if packed.execution != "packed":
        raise SettingsError(f"objective: clm: an encoder learns next words in packed attention only ({packed.reason})")
    product = model.get_output_embeddings()  # type: ignore[no-untyped-call]
    if isinstance(product, States):
        return
    if not isinstance(product, nn.Linear) or product.out_features != model.config.vocab_size:
        raise SettingsError(
            f"objective: clm: the head for masked words of {name} does not end in a product with the words; take another base"
        )
    attentions = [module for module in model.modules() if hasattr(module, "is_causal")]
    assert attentions, f"{name}: attention that no one can make causal"
    for module in attentions:
        module.is_causal = True  # type: ignore[assignment]
    model.set_submodule(next(each for each, module in model.named_modules() if module is product), States(product))
