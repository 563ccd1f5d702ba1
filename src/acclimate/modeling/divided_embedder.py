"""An embedding model whose lowest layers are frozen: what these give for a text is computed once (`frozen.py`)."""

from torch import Tensor, nn

from acclimate.modeling.embedder import Embedder, pooled
from acclimate.modeling.frozen import Divided, divided
from acclimate.modeling.tensors import TensorBatch


class DividedEmbedder(nn.Module):
    """The vectors of an embedding model, from what its frozen layers give where a batch brings that.

    It shares its tensors with the whole model, so training it trains that; its parameters are those that are not frozen, and the last
    norm's.
    """

    def __init__(self, whole: Embedder, parts: Divided) -> None:
        super().__init__()
        self._whole = (whole,)  # in a tuple: its parameters are not this module's
        self.form, self.width = whole.form, whole.width
        self.parts = parts
        self.dense = whole.dense

    def forward(self, batch: TensorBatch) -> Tensor:
        """[B, E] float32."""
        return self._whole[0].projected(pooled(self.parts.states(batch).float(), batch.offsets, self.form.pooling))


def in_parts(embedder: Embedder) -> Embedder | DividedEmbedder:
    """The model in two parts, where some of its layers are frozen, and not all, and its architecture can be divided; else as it is.

    It stands on its device already.
    """
    trained = any(parameter.requires_grad for parameter in embedder.encoder.parameters())
    parts = divided(embedder.encoder) if trained else None
    return embedder if parts is None else DividedEmbedder(embedder, parts)
