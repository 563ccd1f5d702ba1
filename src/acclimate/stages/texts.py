"""What masking needs to know of a tokenizer."""

import numpy as np
from tokenizers import Tokenizer

from acclimate.data.tokens import special_ids, word_starts
from acclimate.errors import ModelError
from acclimate.objectives.mlm import Vocabulary

MASK_NAMES = ("[MASK]", "<mask>")


def vocabulary(tokenizer: Tokenizer) -> Vocabulary:
    """What masking must know of this tokenizer.

    Raises:
        ModelError: the vocabulary has no mask token.
    """
    mask_ids = [tokenizer.token_to_id(name) for name in MASK_NAMES if tokenizer.token_to_id(name) is not None]
    if not mask_ids:
        raise ModelError(f"the tokenizer has no mask token (looked for {', '.join(MASK_NAMES)}), so this base cannot be pretrained with masks")
    size = tokenizer.get_vocab_size(with_added_tokens=True)
    special = np.zeros(size, dtype=bool)
    special[[number for number, token in tokenizer.get_added_tokens_decoder().items() if token.special]] = True
    prefix, suffix = special_ids(tokenizer)
    return Vocabulary(size, mask_ids[0], special, word_starts(tokenizer), prefix, suffix)
