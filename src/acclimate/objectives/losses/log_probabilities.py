"""Logarithms of 1 - p, whose gradients stay finite however sure a model is."""

import torch
from torch import Tensor


def log_complements(logits_ML: Tensor) -> Tensor:
    """[M, L] log(1 - softmax(logits)).

    The one name that may be nearly sure is worked out from all others, for 1 - p would be rounded to 0 there.
    """
    log_p_ML = logits_ML.log_softmax(dim=-1)
    surest_ML = torch.zeros_like(log_p_ML, dtype=torch.bool).scatter_(-1, logits_ML.argmax(dim=-1, keepdim=True), True)
    # Not -inf, of which a row of a single name would be all there is: its gradient is not a number.
    others_M1 = log_p_ML.masked_fill(surest_ML, torch.finfo(log_p_ML.dtype).min).logsumexp(dim=-1, keepdim=True)
    return torch.where(surest_ML, others_M1, torch.log1p(-log_p_ML.masked_fill(surest_ML, -1.0).exp()))
