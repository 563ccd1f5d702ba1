"""What masking needs to know of a tokenizer."""

from tokenizers import Tokenizer

from acclimate.data.tokens import special_ids, special_tokens, word_starts
from acclimate.errors import ModelError
from acclimate.objectives.mlm import Vocabulary

MASK_NAMES = ("[MASK]", "<mask>")


def vocabulary(tokenizer: Tokenizer, whole_word: bool) -> Vocabulary:
    """What masking must know of this tokenizer; where words begin only for `whole_word`, since not every vocabulary tells.

    Raises:
        ModelError: the vocabulary has no mask token.
        SettingsError: whole words were asked for, and the vocabulary does not mark where they begin.
    """
    mask_ids = [number for name in MASK_NAMES if (number := tokenizer.token_to_id(name)) is not None]
    if not mask_ids:
        raise ModelError(
            f"the tokenizer has no mask token (looked for {', '.join(MASK_NAMES)}), so this base cannot be pretrained with masks"
        )
    prefix, suffix = special_ids(tokenizer)
    return Vocabulary(
        size=tokenizer.get_vocab_size(with_added_tokens=True),
        mask_id=mask_ids[0],
        special=special_tokens(tokenizer),
        word_start=word_starts(tokenizer) if whole_word else None,
        prefix=prefix,
        suffix=suffix,
    )
